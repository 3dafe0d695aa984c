"""Work for several processes: stretches that tile what is missing, and any order of them."""

import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toolkit.compressed_fasta import RECORDS, Result, compress, dna, same_tracks

from genezip.formats.fasta import FastaStream
from genezip.inference import fasta as fasta_module
from genezip.inference import parts as fasta_parts
from genezip.inference import stretches as stretches_module
from genezip.inference.parts import Part, PartFolder, Records, TokenDraft, TokenPart
from genezip.inference.stretches import Reading, Stretch, divided, missing


class Crash(Exception):
    """Stands for whatever ends a run."""


def records_of(rng: np.random.Generator, count: int, longest: int) -> Records:
    return Records(
        {f"r{n}": int(length) for n, length in enumerate(rng.integers(1, longest, count))}
    )


def block_ends(records: Records, step: int) -> list[int]:
    """Every position at which a block or window ends."""
    return [
        end
        for start, stop in pairwise(records.bounds.tolist())
        for end in [*range(start + step, stop, step), stop]
    ]


def some_parts(rng: np.random.Generator, ends: list[int]) -> list[tuple[int, int]]:
    """Parts that end where blocks do, some of them lost."""
    inner = sorted(rng.choice(ends[:-1], min(6, len(ends) - 1), replace=False).tolist())
    return [part for part in pairwise([0, *inner, ends[-1]]) if rng.random() < 0.5]


@pytest.mark.parametrize("seed", range(20))
def test_what_is_missing_base_by_base(seed: int) -> None:
    rng = np.random.default_rng(seed)
    records = records_of(rng, 5, 100)
    finished = some_parts(rng, block_ends(records, 7))
    absent = np.ones(records.bases, dtype=bool)
    for start, end in finished:
        absent[start:end] = False
    found = missing(records, finished)
    covered = np.zeros(records.bases, dtype=int)
    for stretch in found:
        covered[stretch.start : stretch.end] += 1
    assert np.array_equal(covered, absent)
    assert all(one.end < other.start for one, other in pairwise(found))
    begins = {end: start for start, end in finished}
    assert [stretch.before for stretch in found] == [begins.get(one.start) for one in found]


@pytest.mark.parametrize("window_bp", [None, 7, 50])
@pytest.mark.parametrize("seed", range(20))
def test_stretches_are_cut_where_a_stream_or_window_begins(
    seed: int, window_bp: int | None
) -> None:
    rng = np.random.default_rng(seed)
    records = records_of(rng, int(rng.integers(1, 30)), int(rng.choice([20, 500])))
    gaps = missing(records, some_parts(rng, block_ends(records, window_bp or 7)))
    processes = int(rng.integers(2, 5))
    found = divided(gaps, records, window_bp, processes)
    in_order = sorted(found)
    at = 0
    for gap in gaps:
        own = in_order[at : at + sum(gap.start <= one.start < gap.end for one in found)]
        at += len(own)
        assert (own[0].start, own[0].before, own[-1].end) == (gap.start, gap.before, gap.end)
        assert all(one.end == other.start for one, other in pairwise(own))
        assert all(one.before is None for one in own[1:])
    assert at == len(found)
    allowed = {gap.end for gap in gaps}
    allowed |= set(block_ends(records, window_bp) if window_bp else records.bounds.tolist())
    assert {stretch.end for stretch in found} <= allowed
    lengths = [stretch.end - stretch.start for stretch in found]
    # no later one is longer by more than the last to finish may be late, and there are not many
    most = stretches_module.PER_PROCESS * processes
    late = max(1, sum(lengths) // most)
    assert all(one + late > max(lengths[n:]) for n, one in enumerate(lengths))
    assert len(found) <= 2 * most + len(gaps) + len(records.names) * (window_bp is not None)


def test_a_long_record_is_one_stream_or_many_windows() -> None:
    records = Records({"long": 10_000_000, "a": 10, "b": 20})
    gaps = missing(records, [])
    assert divided(gaps, records, None, 4) == [
        Stretch(0, 10_000_000),
        Stretch(10_000_000, 10_000_030),
    ]
    windows = divided(gaps, records, 12_800, 4)
    assert len(windows) == 196  # of four windows each, the least above 10 Mb / 256
    assert {one.end % 12_800 for one in windows if one.end < 10_000_000} == {0}


@pytest.mark.parametrize("step", [7, 64, 1000])
def test_blocks_of_stretches_in_any_order(fasta: Path, tmp_path: Path, step: int) -> None:
    with FastaStream(fasta) as stream:
        records = Records(stream.lengths)
        every = [(records.start[name] + at, at, ids) for name, at, ids in stream.windows(step)]
        stretches = divided(missing(records, []), records, step, 3)
        np.random.default_rng(step).shuffle(stretches)
        parts = PartFolder(tmp_path / "x", {}, TokenPart)
        reading = Reading(stream, False, step, parts, TokenDraft(prob=False))
        found = list(reading.blocks(map(Stretch._make, stretches)))
    wanted = [
        (stretch, *block)
        for stretch in map(Stretch._make, stretches)
        for block in every
        if stretch.start <= block[0] < stretch.end
    ]
    assert [one[:3] for one in found] == [one[:3] for one in wanted]
    assert all(np.array_equal(one[3], other[3]) for one, other in zip(found, wanted, strict=True))


@pytest.fixture(scope="module")
def whole(
    models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Path, dict[str, Any], Result]]:
    """FASTA, options and run of each model, by one process in the order of the file."""
    folder = tmp_path_factory.mktemp("whole")
    path = folder / "my.fa"
    sequences = [*RECORDS.values(), *(dna(length, length) for length in (90, 501, 40))]
    path.write_bytes(b"".join(b">r%d\n%b\n" % item for item in enumerate(sequences)))
    options = {
        "causal": {"block_bp": 43}, "blocks": {"block_bp": 31}, "sequence": {"window_bp": 64},
    }  # fmt: skip
    return {
        name: (path, some, compress(path, models[name], folder / name, **some))
        for name, some in options.items()
    }


@pytest.mark.parametrize("name", ["causal", "blocks", "sequence"])
@pytest.mark.parametrize("parts", [0, 5])
def test_the_order_of_stretches_does_not_change_a_byte(
    models: dict[str, Path],
    whole: dict[str, tuple[Path, dict[str, Any], Result]],
    tmp_path: Path,
    name: str,
    parts: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Backwards, in parts of other lengths, and after a run that crashed."""
    given, options, expected = whole[name]
    path = Path(shutil.copy(given, tmp_path))  # the session names it by its place
    window_bp = options.get("window_bp")

    def backwards(records: Records, finished: list[tuple[int, int]]) -> list[Stretch]:
        found = divided(missing(records, finished), records, window_bp, 3)
        assert len(found) > 2
        return found[::-1]

    monkeypatch.setattr(fasta_module, "missing", backwards)
    monkeypatch.setattr(stretches_module, "PER_PROCESS", 4)
    if parts:
        with monkeypatch.context() as patch:
            write, left = PartFolder.write, [parts]

            def writing(self: PartFolder, part: Part) -> None:
                write(self, part)
                left[0] -= 1
                if not left[0]:
                    raise Crash

            patch.setattr(PartFolder, "write", writing)
            patch.setattr(fasta_parts, "PART_BP", 100)
            with pytest.raises(Crash):
                compress(path, models[name], tmp_path / "out", **options)
    found = compress(path, models[name], tmp_path / "out", **options)
    assert found.bytes == expected.bytes
    same_tracks(found.tracks, expected.tracks)
