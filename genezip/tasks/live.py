"""Predictions of models that are trained on a task with the network in the graph."""

import logging
from pathlib import Path

from genezip.config.benchmarks import Initiation, Pairs, Task
from genezip.errors import GenezipError
from genezip.models.base import choose_device
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.pretrained import WEIGHTS, load_network
from genezip.tasks.base import Arm, run_identity
from genezip.tasks.initiation.examples import InitiationExamples
from genezip.tasks.initiation.network import tune_initiation, write_initiation
from genezip.tasks.pairs.examples import PairExamples
from genezip.tasks.pairs.network import tune_pairs, write_pairs
from genezip.training.checkpoint import discard
from genezip.training.trainable import set_mode

logger = logging.getLogger(__name__)


def predict_live(
    task: str,
    prepared_manifest: Path,
    genome: Path,
    model_folder: Path,
    arm: Arm,
    official: str,
    settings: Task,
    seed: int,
    out: Path,
    work_folder: Path,
) -> None:
    """Train a model on a task and write its predictions of the validation and test examples.

    Parameters
    ----------
    task : eqtl, etgp or tisp
    prepared_manifest : ``manifest.json`` of the prepared data
    genome : FASTA of the deposit
    model_folder : pretrained model
    arm : ``input`` authors or full; ``mode`` head_only, release, lora or full
    official : name of the subset in the deposit; the prepared data are of it already
    seed : of the head, the adapters and the order of examples
    out : prediction file, written atomically
    work_folder : checkpoints; an interrupted call goes on from there, and removes them at the end

    Raises
    ------
    GenezipError
        If the task has no such mode, and whatever loading and training raise.
    """
    if task not in ("eqtl", "etgp", "tisp"):
        raise GenezipError(f"{task} is learnt from frozen features alone; use the mode frozen")
    assert isinstance(settings, Initiation | Pairs)
    device = choose_device(settings.device)
    network, card = load_network(model_folder)
    if arm.input == "full":
        _causal(network, list(card.target_bpt.values()))
    network.to(device)
    set_mode(network, arm.mode, settings, seed)
    network.checkpoint_activations(True)
    identity = {
        **run_identity(arm, prepared_manifest),
        "weights": card.training["sha256"][WEIGHTS],
    }
    if task == "tisp":
        assert isinstance(settings, Initiation)
        windows = InitiationExamples.load(prepared_manifest, genome)
        tuned = tune_initiation(windows, network, arm, settings, seed, identity, work_folder)
        write_initiation(windows, tuned.predict, arm, out)
    else:
        assert isinstance(settings, Pairs)
        pairs = PairExamples.load(prepared_manifest, genome)
        live = tune_pairs(pairs, network, arm, settings, seed, identity, work_folder)
        write_pairs(pairs, live.scores, arm, out)
    discard(work_folder)


def _causal(network: GeneZipNetwork, targets: list[float]) -> None:
    if network.bound == "sequence":
        network.set_bound("causal", targets)
        logger.info("input full: the bound of the whole sequence gives way to the causal one")
