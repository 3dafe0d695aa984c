"""From files to a training run: corpus, architecture and targets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genezip.artifacts.files import sha256_file
from genezip.config import Pretrain, RegionPreset, parse, read_yaml
from genezip.corpus.corpus import CorpusReader
from genezip.corpus.stream import WindowStream, prefetched
from genezip.errors import GenezipError
from genezip.models.hnet.architecture import load_architecture
from genezip.region_classes import expected_bpt
from genezip.training.fit import pretrain
from genezip.training.initial import initial_weights
from genezip.training.ranks import ALONE, Ranks
from genezip.training.run import Run
from genezip.training.validation import validation_windows


@dataclass(frozen=True)
class Targets:
    """Target BPT of every region class, in order of their ids, and where it came from."""

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

    Raises
    ------
    GenezipError
        If not exactly one is given, a class of the corpus is left without a target, a preset
        names a class that the corpus has not, or a target is below 1 bp per token.
    """
    if sum(value is not None for value in (region_preset, uniform_bpt, match_bpt)) != 1:
        raise GenezipError("give exactly one of --region-preset, --uniform-bpt, --match-bpt")
    path = region_preset or match_bpt
    preset = None if path is None else load_preset(path).target_bpt()
    reader = CorpusReader(corpus)
    region_classes = reader.region_classes
    if preset is not None:
        preset = region_classes.complete(preset, str(path))
    if region_preset is not None and preset is not None:
        return Targets(preset, f"region preset {region_preset.stem}")
    if uniform_bpt is not None:
        everywhere = dict.fromkeys(region_classes.names, uniform_bpt)
        origin = f"uniform {uniform_bpt:g} bp per token"
        return Targets(region_classes.complete(everywhere, "--uniform-bpt"), origin)
    assert match_bpt is not None and preset is not None
    splits = reader.manifest["splits"]
    split = "valid" if splits.get("valid", {}).get("windows") else "train"
    matched = expected_bpt(splits[split]["composition"], preset)
    origin = f"uniform, expected BPT of {match_bpt.stem} on the {split} windows"
    return Targets(dict.fromkeys(region_classes.names, matched), origin)


@dataclass(frozen=True)
class Prepared:
    """A run and its training data."""

    run: Run
    batches: WindowStream

    def train(
        self, out: Path, checkpoints: Path, ranks: Ranks = ALONE, workers: int = 1
    ) -> dict[str, Any]:
        """Train and write the model folder.

        ``workers`` background threads decode the rows of this process while the step before
        them runs; the weights do not depend on their number.
        """
        with ranks.together():
            own = self.batches.share(ranks.rows(self.run.settings.batch))
        with prefetched(own, workers) as batches:
            return pretrain(self.run, batches, out, checkpoints, ranks=ranks)


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
    batches = WindowStream(
        reader, settings.batch, seed, reverse_complement=settings.reverse_complement
    )
    ids, regions = validation_windows(reader, settings.validate_windows)
    user_classes = reader.region_classes.to_json()
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
            **({"classes": user_classes} if user_classes else {}),
        },
        initial=None if init_from is None else initial_weights(init_from, shape),
        region_classes=reader.region_classes,
    )
    return Prepared(run, batches)
