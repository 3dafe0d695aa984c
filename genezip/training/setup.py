"""Prepare a training run from files, and write the model folder of a finished run.

Checkpoints have a separate folder, because a workflow deletes the declared outputs of a failed
job; the finished model is written at the end, all files together.
"""

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from genezip.artifacts.files import sha256_file, write_text
from genezip.artifacts.folder import replaced_folder
from genezip.artifacts.manifest import first_difference
from genezip.artifacts.provenance import versions
from genezip.config import NETWORKS, NetworkKind, Pretrain, region_preset
from genezip.corpus.corpus import CorpusReader
from genezip.corpus.stream import Batches, WindowStream, prefetched
from genezip.errors import GenezipError
from genezip.models.card import model_card
from genezip.models.hnet.architecture import GUIDED, Architecture, load_architecture
from genezip.models.hnet.architecture import architecture as parse_architecture
from genezip.models.hnet.network import GeneZipNetwork, build
from genezip.models.pretrained import (
    BEST,
    WEIGHTS,
    ModelCard,
    load_card,
    load_network,
    save_pretrained,
    save_weights,
)
from genezip.region_classes import GENE7, RegionClasses, expected_bpt
from genezip.training.checkpoint import Checkpoint, TrainingState, discard
from genezip.training.curve import CURVE, open_curve
from genezip.training.fit import Schedule, fit
from genezip.training.masked import MaskedBase, MaskedWindows
from genezip.training.memory import available_bytes, check_memory, estimate
from genezip.training.objectives import NextBase, validation_windows
from genezip.training.optimizer import build_optimizer, pretraining_rate
from genezip.training.ranks import ALONE, Ranks

FILES = (WEIGHTS, BEST, "config.json", CURVE, "README.md")

# Settings that may change when a run is resumed: the trained weights do not depend on them.
FREE = tuple(f"pretrain.{key}" for key in Pretrain.FREE)

# Keys of an architecture that do not affect weights: bounds, the chunk of an exact scan, targets.
FREE_IN_SHAPE = (
    "k_min", "k_max", "bound", "max_chunk", "burst", "rate", "ssd_chunk", "stage_bpt",
)  # fmt: skip
# Keys that affect neither the tokens of a guide nor the operations on them.
FREE_UNDER_GUIDE = ("stage_bpt",)


@dataclass(frozen=True)
class FinishedModel:
    """A finished model that another training uses; ``sha256`` is that of its last weights."""

    folder: Path
    name: str
    seed: int
    sha256: str

    @classmethod
    def of(cls, folder: Path, card: ModelCard) -> Self:
        """The model of a folder and its card."""
        return cls(folder, card.name, card.seed, card.training["sha256"][WEIGHTS])

    def to_dict(self) -> dict[str, Any]:
        """The entry of ``config.json``."""
        return {"name": self.name, "seed": self.seed, "sha256": self.sha256}


class InitialWeights(FinishedModel):
    """Weights with which another training begins.

    Only the weights are reused: optimiser, schedule and data start anew.
    """

    def load_into(self, network: GeneZipNetwork) -> None:
        """Copy the weights into a network, after a check of their hash."""
        trained, _ = load_network(self.folder)
        network.load_state_dict(trained.state_dict())


class GuideWeights(FinishedModel):
    """A learned model whose tokens a guided router rearranges."""

    def load_into(self, network: GeneZipNetwork) -> None:
        """Copy its first stage into the guide of a network, after a check of its hash."""
        trained, _ = load_network(self.folder)
        network.take_guide(trained)


def initial_weights(folder: Path, shape: Architecture) -> InitialWeights:
    """The weights of a model folder whose architecture differs from ``shape`` in bounds at most."""
    card = load_card(folder)
    difference = first_difference(card.architecture.to_dict(), shape.to_dict(), FREE_IN_SHAPE)
    if difference is not None:
        key, old, new = difference
        raise GenezipError(
            f"{folder} cannot give initial weights: its architecture has {key} {old}, this model "
            f"has {new}; only bounds may differ"
        )
    return InitialWeights.of(folder, card)


def guide_weights(folder: Path | None, shape: Architecture) -> GuideWeights | None:
    """The guide of a network with a guided router; None for other networks.

    The guide has a learned router and is of the same layout otherwise, so that both networks have
    the same parameters and do the same work on a token.
    """
    if folder is None and shape.is_guided:
        raise GenezipError(
            f"the router {shape.router[0]} rearranges the tokens of a trained model; name its "
            "folder with --guide"
        )
    if folder is None:
        return None
    if not shape.is_guided:
        raise GenezipError(
            f"the architecture has no guided router for the guide {folder}; give it the router "
            f"{' or '.join(GUIDED)}, or leave --guide out"
        )
    card = load_card(folder)
    if not card.architecture.learns_routing:
        raise GenezipError(
            f"{folder} cannot be a guide: its router is {card.architecture.router[0]}; name a "
            "model with a learned router"
            if card.architecture.router
            else f"{folder} cannot be a guide: it has no router; name a model with a learned one"
        )
    difference = first_difference(
        card.architecture.to_dict(), shape.to_dict(), ("router", *FREE_UNDER_GUIDE)
    )
    if difference is not None:
        key, old, new = difference
        raise GenezipError(
            f"{folder} cannot be a guide: its architecture has {key} {old}, this model has {new}; "
            "only the router may differ"
        )
    return GuideWeights.of(folder, card)


@dataclass(frozen=True)
class Run:
    """All inputs of a training run except the training windows.

    Attributes
    ----------
    seed : seed of weights and sampling
    corpus_sha256 : hash of the corpus manifest, part of the run's identity
    window_bp : length of a training window
    valid_ids, valid_regions : uint8 arrays, shape (n, L); may be empty
    facts : further provenance for ``config.json`` (scale, source, origin of the target)
    initial : initial weights; None draws them from the seed
    guide : learned model of a guided router; None for other routers
    region_classes : region classes of the corpus; ``target_bpt`` has one value for each
    compressor : kind of network, written to ``config.json``
    """

    name: str
    seed: int
    architecture: Architecture
    settings: Pretrain
    target_bpt: dict[str, float]
    corpus_sha256: str
    window_bp: int
    valid_ids: np.ndarray
    valid_regions: np.ndarray
    facts: dict[str, Any]
    initial: InitialWeights | None = None
    region_classes: RegionClasses = GENE7
    compressor: NetworkKind = NETWORKS[0]
    guide: GuideWeights | None = None

    def identity(self) -> dict[str, Any]:
        """Everything that must be equal to resume from a checkpoint, as plain values."""
        return {
            "name": self.name,
            "seed": self.seed,
            "architecture": self.architecture.to_dict(),
            "pretrain": self.settings.model_dump(),
            "target_bpt": self.target_bpt,
            "corpus_sha256": self.corpus_sha256,
            "init_from": None if self.initial is None else self.initial.sha256,
            **({} if self.guide is None else {"guide": self.guide.sha256}),
        }


@dataclass(frozen=True)
class Targets:
    """Target BPT of every region class, in order of their ids, and its origin."""

    bpt: dict[str, float]
    origin: str


def targets_of(
    corpus: Path,
    regions: str | None = None,
    uniform_bpt: float | None = None,
    match_bpt: str | None = None,
) -> Targets:
    """Targets from exactly one of a region budget, a number, or a budget to be matched.

    A budget is named as a preset, or by the path of its file. ``match_bpt`` gives every class the
    expected BPT of the budget on the validation windows (base-weighted harmonic mean, Eq. 13), so
    that a uniform control has as many tokens as the model it is compared with. Classes of budget
    and corpus must agree, and every target must be at least 1 bp per token.
    """
    if sum(value is not None for value in (regions, uniform_bpt, match_bpt)) != 1:
        raise GenezipError("give exactly one of --region-preset, --uniform-bpt, --match-bpt")
    name = regions or match_bpt
    preset = None if name is None else region_preset(name).target_bpt()
    reader = CorpusReader(corpus)
    region_classes = reader.region_classes
    if preset is not None:
        preset = region_classes.complete(preset, str(name))
    if regions is not None and preset is not None:
        return Targets(preset, f"region preset {Path(regions).stem}")
    if uniform_bpt is not None:
        everywhere = dict.fromkeys(region_classes.names, uniform_bpt)
        origin = f"uniform {uniform_bpt:g} bp per token"
        return Targets(region_classes.complete(everywhere, "--uniform-bpt"), origin)
    assert match_bpt is not None and preset is not None
    splits = reader.manifest["splits"]
    split = "valid" if splits.get("valid", {}).get("windows") else "train"
    matched = expected_bpt(splits[split]["composition"], preset)
    origin = f"uniform, expected BPT of {Path(match_bpt).stem} on the {split} windows"
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

        ``workers`` background threads decode the rows of this process for the next step; the
        weights do not depend on their number.
        """
        with ranks.together():
            share = self.batches.share(ranks.rows(self.run.settings.batch))
        with prefetched(share, workers) as batches:
            return pretrain(self.run, batches, out, checkpoints, ranks=ranks)


def prepare(
    *,
    corpus: Path,
    architecture: str,
    targets: Targets,
    settings: Pretrain,
    seed: int,
    name: str,
    scale: str,
    init_from: Path | None = None,
    guide: Path | None = None,
    compressor: NetworkKind = NETWORKS[0],
    stage_bpt: Sequence[float] = (),
) -> Prepared:
    """Load and check all inputs of a run before training starts.

    ``init_from`` is a model folder of the same layout with the initial weights, ``guide`` that of
    the learned model of a guided router. ``stage_bpt`` replaces that of the architecture, which
    shares the target among the stages.
    """
    shape = load_architecture(architecture)
    if stage_bpt:
        values = {**shape.to_dict(), "stage_bpt": tuple(stage_bpt)}
        shape = parse_architecture(values, "--stage-bpt")
    if (compressor == "ldarnet") != (shape.direction == "both"):
        raise GenezipError(
            f"{architecture} has direction {shape.direction}, which does not fit compressor "
            f"{compressor}; ldarnet reads both directions, and the other networks read forward"
        )
    shape = shape.resolved(list(targets.bpt.values()))
    guided_by = guide_weights(guide, shape)
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
            "architecture": Path(architecture).stem,
            "windows": {
                "train": batches.windows_per_epoch,
                "window_bp": reader.manifest["window_bp"],
            },
            **({"classes": user_classes} if user_classes else {}),
        },
        initial=None if init_from is None else initial_weights(init_from, shape),
        region_classes=reader.region_classes,
        compressor=compressor,
        guide=guided_by,
    )
    return Prepared(run, batches)


def pretrain(
    run: Run, batches: Batches, out: Path, checkpoints: Path, ranks: Ranks = ALONE
) -> dict[str, Any]:
    """Train a model and write its folder; resume an interrupted run of the same identity.

    A bidirectional network learns masked bases, any other the next base. The folder ``out`` gets
    ``model.safetensors`` (last step), ``best.safetensors`` (lowest validation perplexity, or bits
    per masked base), ``config.json``, ``curve.jsonl`` and ``README.md``. TensorBoard scalars stay
    in ``checkpoints``. The results are ``seconds`` of training and ``best_valid_ppl``, or
    ``best_valid_mask_bits``, infinite without a validation.

    Every process of ``ranks`` calls this with its rows of the same batches (``ranks.rows``) and
    otherwise equal arguments. Another number of processes, or another micro-batch, changes the
    weights by rounding only. Errors are those of :func:`genezip.training.fit.fit`.
    """
    settings = run.settings
    checkpoint = Checkpoint(
        checkpoints, run.name, run.identity(), FREE, checkpoints / BEST, keep_previous=True
    )
    with ranks.together():
        network = _fitting_network(run, ranks)
        checkpoints.mkdir(parents=True, exist_ok=True)
        if run.initial is not None and not checkpoint.exists():
            run.initial.load_into(network)
        if run.guide is not None:
            run.guide.load_into(network)
    both = network.shape.direction == "both"
    if both:
        first_row = ranks.rows(settings.batch).start
        batches = MaskedWindows(batches, settings.mask_rate, run.seed, first_row)
    objective = (MaskedBase if both else NextBase)(
        name=run.name,
        label=f"{run.name} seed {run.seed}",
        module=network,
        model=ranks.parallel(network, network.embedding.device),
        settings=settings,
        target_bpt=run.target_bpt,
        window_bp=run.window_bp,
        valid_ids=run.valid_ids,
        valid_regions=run.valid_regions,
        region_classes=run.region_classes,
        ranks=ranks,
    )
    schedule = Schedule(
        steps=settings.steps,
        seed=run.seed,
        rate=lambda step: settings.learning_rate * pretraining_rate(step, settings),
        clip_norm=settings.clip_norm,
        validate_every=settings.validate_every if len(run.valid_ids) else None,
        checkpoint_every=settings.checkpoint_every,
    )
    optimizer = build_optimizer(network, settings, list(run.target_bpt.values()))
    curve = partial(open_curve, checkpoints, classes=run.region_classes.names)
    state = fit(objective, batches, optimizer, schedule, checkpoint, ranks, curve)
    with ranks.together():
        if ranks.main:
            _finish(run, objective, state, out, checkpoints)
    return {"seconds": round(state.seconds, 1), _best_key(objective): -state.best}


def initial_network(run: Run, device: torch.device) -> GeneZipNetwork:
    """The network with the initial weights of the run's seed, in training mode."""
    shape = run.architecture.resolved(list(run.target_bpt.values()))
    network = build(shape, run.seed).to(device).train()
    network.checkpoint_activations(run.settings.checkpoint_activations)
    network.packed = run.settings.packed_trunk
    return network


def _fitting_network(run: Run, ranks: Ranks) -> GeneZipNetwork:
    """The initial network on the device of this process, after a check of the memory."""
    settings = run.settings
    rows = ranks.rows(settings.batch)
    device = ranks.device(settings.device)
    available = available_bytes(device, ranks.local_world)
    network = initial_network(run, device)
    windows = min(settings.micro_batch, rows.stop - rows.start)
    need = estimate(network, settings, windows, run.window_bp, len(run.region_classes))
    check_memory(run.name, need, settings, available, device)
    return network


def _best_key(objective: NextBase) -> str:
    return f"best_valid_{objective.best}"


def _finish(
    run: Run, objective: NextBase, state: TrainingState, out: Path, checkpoints: Path
) -> None:
    """Write the model folder, all files together, then delete the checkpoints (not TensorBoard)."""
    network, best, valid = objective.module, -state.best, None
    if state.history:
        valid = {key: value for key, value in state.history[-1].items() if key != "step"}
    if not math.isfinite(best) or not (checkpoints / BEST).exists():
        save_weights(checkpoints / BEST, network)
    training = {
        "settings": run.settings.model_dump(),
        "corpus_sha256": run.corpus_sha256,
        "init_from": None if run.initial is None else run.initial.to_dict(),
        **({} if run.guide is None else {"guide": run.guide.to_dict()}),
        "processes": objective.ranks.world,
        "seconds": round(state.seconds, 1),
        _best_key(objective): best if math.isfinite(best) else None,
        "valid": valid,
        "versions": versions(),
        **run.facts,
    }
    identity = run.name, run.seed, run.architecture, run.target_bpt
    card = ModelCard(*identity, training, run.compressor)
    with replaced_folder(out, FILES) as folder:
        shutil.copy(checkpoints / BEST, folder / BEST)
        shutil.copy(checkpoints / CURVE, folder / CURVE)
        save_pretrained(folder, network, card)
        # written last, because it contains the hashes of config.json
        write_text(folder / "README.md", model_card(load_card(folder), network.count_parameters()))
    for name in (BEST, CURVE):
        (checkpoints / name).unlink(missing_ok=True)
    discard(checkpoints)
