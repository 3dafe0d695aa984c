"""What folders of tracks hold together, and one sentence for each that cannot be shown."""

import gzip
import re
import shutil
from pathlib import Path

import pytest
from toolkit.track_folders import LONG, SHORT, SIZES, write_tracks

from genezip.browse.folder import find_locus, first_locus, session_of, view_of
from genezip.errors import GenezipError
from genezip.formats.fasta import atomic_bgzip_fasta, read_records
from genezip.formats.igv import read_igv_session, write_igv_session


def test_one_folder(one: Path, genome: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    view = view_of([one], scratch)
    assert [shown.path.name for shown in view.tracks] == [
        "boundary_prob.bw", "surprisal.bw", "tokens_per_kb.bw", "bpt.bw", "chunks.bed.gz",
        "regions.bed.gz",
    ]  # fmt: skip
    assert view.sizes == SIZES and view.locus == (LONG, 1000, 6000) and view.genome == ""
    assert view.fasta is not None and view.fasta.path.samefile(genome)
    for name, bases in read_records(genome):
        assert view.fasta.bases(name, 7, 211).encode() == bases[7:211]
    # the index is no file beside that of the user
    assert not Path(f"{genome}.fai").exists() and view.fasta.fai.parent == scratch
    assert view_of([one], tmp_path, with_bases=False).fasta is None


def test_tracks_of_models_side_by_side(one: Path, two: Path, tmp_path: Path) -> None:
    view = view_of([one, two], tmp_path)
    titles = [shown.track.title for shown in view.tracks]
    assert titles[:4] == [
        "model-1: boundary probability", "model-2: boundary probability",
        "model-1: surprisal (bits)", "model-2: surprisal (bits)",
    ]  # fmt: skip
    assert titles.count("regions") == 1, "one map for both"
    first, second = (shown.track for shown in view.tracks[:2])
    assert first.scale == second.scale == "boundary_prob" and first.rgb != second.rgb
    # equal names are told apart by their folder
    shutil.copytree(one, tmp_path / "again")
    again = [shown.track.title for shown in view_of([one, tmp_path / "again"], tmp_path).tracks]
    assert "model-1: chunks (one)" in again and "model-1: chunks (again)" in again


def test_one_session_of_several_folders(one: Path, two: Path, tmp_path: Path) -> None:
    """It is read as a folder of its own, with the same tracks."""
    view = view_of([one, two], tmp_path).at(f"{LONG}:2,001-3,000")
    session = session_of(view, tmp_path)
    write_igv_session(tmp_path / "igv_session.xml", session)
    assert session == read_igv_session(tmp_path / "igv_session.xml")
    assert session.genome == "my genome.fa" and session.locus == (LONG, 2000, 3000)
    assert session.tracks[0].path == "one/boundary_prob.bw"
    assert next(t.index for t in session.tracks if not t.is_bigwig) == "one/chunks.bed.gz.tbi"
    both = view_of([tmp_path], tmp_path)
    assert [s.track.title for s in both.tracks] == [s.track.title for s in view.tracks]
    assert [s.path for s in both.tracks] == [s.path for s in view.tracks]
    assert [s.track.rgb for s in both.tracks] == [s.track.rgb for s in view.tracks]
    with pytest.raises(GenezipError, match="is not in the folder of the session"):
        session_of(view, one)


def test_a_link_to_a_folder(one: Path, genome: Path, tmp_path: Path) -> None:
    """The genome is found from the folder, and from the link by which the tracks were written."""
    (tmp_path / "deep" / "er").mkdir(parents=True)
    one.rename(tmp_path / "deep" / "er" / "one")
    (tmp_path / "link").symlink_to("deep/er/one")
    view = view_of([tmp_path / "link"], tmp_path)
    assert view.fasta is not None and view.fasta.path.samefile(genome)


def test_an_id_of_igv_is_no_file(tmp_path: Path) -> None:
    view = view_of([write_tracks(tmp_path / "t", "hg38", "m")], tmp_path)
    assert view.genome == "hg38" and view.fasta is None


def test_a_packed_fasta(tmp_path: Path, genome: Path) -> None:
    folder = write_tracks(tmp_path / "t", "genome.fa.gz", "m")
    with atomic_bgzip_fasta(folder / "genome.fa.gz") as out:
        for name, bases in read_records(genome):
            out.begin(name)
            out.add(bases)
    view = view_of([folder], tmp_path)
    assert view.fasta is not None and view.fasta.gzi is not None
    assert view.fasta.fai.parent == folder
    wanted = dict(read_records(genome))[SHORT][10:90]
    assert view.fasta.bases(SHORT, 10, 90).encode() == wanted
    (folder / "genome.fa.gz.gzi").unlink()  # then both are made anew, elsewhere
    anew = view_of([folder], tmp_path).fasta
    assert anew is not None and anew.fai.parent == tmp_path
    assert anew.bases(SHORT, 10, 90).encode() == wanted
    (tmp_path / "my.fa.gz").write_bytes(gzip.compress(genome.read_bytes()))
    with pytest.raises(GenezipError, match=r"my\.fa\.gz cannot be indexed, which needs bgzip"):
        view_of([folder], tmp_path, tmp_path / "my.fa.gz")


@pytest.mark.parametrize(
    ("text", "locus"),
    [
        (f"{LONG}:1-40,000", (LONG, 0, 40_000)),
        (SHORT, (SHORT, 0, 3_000)),
        (f"{SHORT}:5-6", (SHORT, 4, 6)),
    ],
)
def test_loci(text: str, locus: tuple[str, int, int]) -> None:
    assert find_locus(text, SIZES) == locus


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("chrX:1-5", "the tracks have no contig 'chrX'; they have ctg|A/1, b:1-2"),
        ("chrX", "the tracks have no contig 'chrX'"),
        (f"{SHORT}:1-3,001", "b:1-2:1-3001 ends beyond b:1-2, which has 3,000 bases"),
        (f"{LONG}:0-5", "write chrom:start-end, counted from 1, as ctg|A/1:1001-51000"),
        (f"{LONG}:7-5", "write chrom:start-end, counted from 1"),
    ],
)
def test_loci_that_are_none(text: str, said: str) -> None:
    with pytest.raises(GenezipError, match=re.escape(said)):
        find_locus(text, SIZES)


def test_the_locus_of_a_run(tmp_path: Path) -> None:
    table = tmp_path / "locus.tsv"
    rows = ["locus\tkind\tchrom\tstart\tend", f"L\ttss\t{LONG}\t0\t1", f"L\tbin\t{LONG}\t64\t128"]
    rows += [f"L\tbin\t{LONG}\t128\t192", f"M\tbin\t{LONG}\t900\t990"]
    table.write_text("\n".join(rows) + "\n")
    assert first_locus(table) == find_locus(str(table), SIZES) == (LONG, 64, 192)
    table.write_text("locus\tkind\n")
    with pytest.raises(GenezipError, match=r"locus\.tsv"):
        first_locus(table)


def test_what_cannot_be_shown(one: Path, two: Path, genome: Path, tmp_path: Path) -> None:
    def refused(said: str, *folders: Path, fasta: Path | None = None) -> None:
        with pytest.raises(GenezipError, match=said):
            view_of(list(folders), tmp_path, fasta)

    (tmp_path / "empty").mkdir()
    refused("empty has no tracks: .* --tracks .*empty` writes them", tmp_path / "empty")
    refused("absent is not a folder", tmp_path / "absent")
    refused("has no contig of the tracks", one, fasta=_fasta(tmp_path / "other.fa", "x"))
    refused(
        r"has 4 bases in .* and 40,000 in the tracks", one, fasta=_fasta(tmp_path / "o.fa", LONG)
    )
    other = write_tracks(tmp_path / "short", f"../{genome.name}", "m", sizes={LONG: 39_000})
    refused("of different genomes: .* has 40,000 and 39,000 bases", one, other)
    genome.rename(tmp_path / "moved.fa")
    refused(r"my genome\.fa, does not exist; name the FASTA by --fasta", one)
    assert view_of([one], tmp_path, tmp_path / "moved.fa").fasta is not None
    (one / "bpt.bw").unlink()
    refused(r"names bpt\.bw, which does not exist; write the tracks again", one)
    (one / "bpt.bw").symlink_to(two / "bpt.bw")
    refused(r"names bpt\.bw, which leads out of the folder", one)
    (one / "bpt.bw").unlink()
    (one / "bpt.bw").write_bytes(b"none")
    refused(r"bpt\.bw cannot be read as a bigWig; write the tracks again", one)
    session = (two / "igv_session.xml").read_text()
    (two / "igv_session.xml").write_text(session.replace('path="bpt.bw"', 'path="/etc/passwd"'))
    refused("names /etc/passwd, which leads out of the folder", two)
    (two / "igv_session.xml").write_text("<Session/>")
    refused("lists no track", two)


def _fasta(path: Path, name: str) -> Path:
    path.write_text(f">{name}\nACGT\n")
    return path
