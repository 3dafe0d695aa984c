"""From files to a training run: corpus, architecture and targets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genezip.config import Pretrain, RegionPreset, parse, read_yaml
from genezip.data.batches import WindowStream
from genezip.data.corpus import CorpusReader, expected_bpt
from genezip.errors import GenezipError
from genezip.models.architecture import load_architecture
from genezip.provenance import sha256_file
from genezip.taxonomy import CLASSES
from genezip.training.initial import initial_weights
from genezip.training.loop import pretrain
from genezip.training.ranks import ALONE, Ranks
from genezip.training.run import Run
from genezip.training.validation import validation_windows


@dataclass(frozen=True)
class Targets:
    """Target BPT per region class and a line saying where it came from."""

    bpt: dict[str, float]
    origin: str


def load_preset(path: Path) -> RegionPreset:
    """Read ``config/regions/NAME.yaml``."""
    return parse(RegionPreset, read_yaml(path), str(path))


def targets_of(
    corpus: Path, region_preset: Path | None, uniform_bpt: float | None, match_bpt: Path | None
) -> Targets:
    """Targets from exactly one of a region preset, a number, or a preset to be matched.

    ``match_bpt`` gives every class the BPT that the preset is expected to have on the
    validation windows (base-weighted harmonic mean, Eq. 13), so that a uniform control
    spends as many tokens as the model it is compared with.
    """
    if sum(value is not None for value in (region_preset, uniform_bpt, match_bpt)) != 1:
        raise GenezipError("give exactly one of --region-preset, --uniform-bpt, --match-bpt")
    if region_preset is not None:
        return Targets(
            load_preset(region_preset).target_bpt(), f"region preset {region_preset.stem}"
        )
    if uniform_bpt is not None:
        return Targets(dict.fromkeys(CLASSES, uniform_bpt), f"uniform {uniform_bpt:g} bp per token")
    assert match_bpt is not None
    splits = CorpusReader(corpus).manifest["splits"]
    split = "valid" if splits.get("valid", {}).get("windows") else "train"
    matched = expected_bpt(splits[split]["composition"], load_preset(match_bpt).target_bpt())
    origin = f"uniform, expected BPT of {match_bpt.stem} on the {split} windows"
    return Targets(dict.fromkeys(CLASSES, matched), origin)


@dataclass(frozen=True)
class Prepared:
    """A run and its training data."""

    run: Run
    batches: WindowStream

    def train(self, out: Path, checkpoints: Path, ranks: Ranks = ALONE) -> dict[str, Any]:
        """Train and write the model folder."""
        return pretrain(self.run, self.batches, out, checkpoints, ranks=ranks)


def prepare(
    *,
    corpus: Path,
    architecture: Path,
    targets: Targets,
    settings: Pretrain,
    seed: int,
    name: str,
    scale: str,
    init_from: Path | None = None,
) -> Prepared:
    """Load what a run needs; every wrong input is a sentence before training starts.

    ``init_from`` is a model folder of the same layout whose weights the run begins with.
    """
    shape = load_architecture(architecture).resolved(list(targets.bpt.values()))
    reader = CorpusReader(corpus)
    batches = WindowStream(reader, settings.batch, seed)
    ids, regions = validation_windows(reader, settings.validate_windows)
    run = Run(
        name=name,
        seed=seed,
        architecture=shape,
        settings=settings,
        target_bpt=targets.bpt,
        corpus_sha256=sha256_file(corpus),
        window_bp=reader.manifest["window_bp"],
        valid_ids=ids,
        valid_regions=regions,
        facts={
            "scale": scale,
            "source": reader.manifest["source"],
            "targets": targets.origin,
            "architecture": architecture.stem,
            "windows": {
                "train": batches.windows_per_epoch,
                "window_bp": reader.manifest["window_bp"],
            },
        },
        initial=None if init_from is None else initial_weights(init_from, shape),
    )
    return Prepared(run, batches)
