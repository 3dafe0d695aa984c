"""Pretraining: one visible loop, resumable at any step, on one process or many.

Checkpoints live in a folder of their own, because a workflow deletes the declared outputs
of a job that failed; the finished model is written in one go at the end.
"""

import logging
import math
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from genezip import log
from genezip.artifacts.files import write_text
from genezip.artifacts.folder import replaced_folder
from genezip.artifacts.journal import stop_request
from genezip.artifacts.provenance import versions
from genezip.corpus.stream import Batches
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.pretrained import BEST, ModelCard, load_card, save_pretrained, save_weights
from genezip.training.checkpoint import PREVIOUS, STATE
from genezip.training.curve import CURVE, open_curve
from genezip.training.memory import available_bytes, check_memory, estimate
from genezip.training.model_card import model_card
from genezip.training.optim import set_rate
from genezip.training.progress import ActiveRun, begin, initial_network
from genezip.training.ranks import ALONE, Ranks
from genezip.training.run import Run
from genezip.training.step import figures, training_step

logger = logging.getLogger(__name__)

FILES = ("model.safetensors", BEST, "config.json", CURVE, "README.md")


def pretrain(
    run: Run,
    batches: Batches,
    out: Path,
    checkpoints: Path,
    ranks: Ranks = ALONE,
) -> dict[str, Any]:
    """Train a model and write its folder; continue an interrupted run of the same identity.

    Writes into ``out``: ``model.safetensors`` (last step), ``best.safetensors`` (lowest
    validation perplexity), ``config.json``, ``curve.jsonl`` and ``README.md``. TensorBoard
    scalars stay in ``checkpoints``.

    Every process of ``ranks`` calls this with its own rows of the same batches (``ranks.rows``),
    and else with the same arguments. Another number of processes, or another micro-batch,
    changes the weights by rounding alone.

    Raises
    ------
    GenezipError
        When memory does not suffice, the checkpoints are of another run or cannot be read, or
        loss or gradient stop being finite; the last checkpoint stays.
    KeyboardInterrupt
        On Ctrl-C, after the step in progress is finished and a checkpoint is written.
    """
    with ranks.together():
        network = _fitting_network(run, ranks)
        checkpoints.mkdir(parents=True, exist_ok=True)
        progress = begin(run, batches, network, checkpoints)
    _train(progress, checkpoints, ranks)
    result = {"seconds": round(progress.seconds, 1), "best_valid_ppl": progress.best_ppl}
    with ranks.together():
        if ranks.main:
            _finish(progress, out, checkpoints, result["seconds"], ranks.world)
    return result


def _fitting_network(run: Run, ranks: Ranks) -> GeneZipNetwork:
    """The initial network on this process's device, where training it fits the memory."""
    settings = run.settings
    rows = ranks.rows(settings.batch)
    device = ranks.device(settings.device)
    available = available_bytes(device, ranks.local_world)
    network = initial_network(run, device)
    windows = min(settings.micro_batch, rows.stop - rows.start)
    need = estimate(network, settings, windows, run.window_bp, len(run.region_classes))
    check_memory(run.name, need, settings, available, device)
    return network


def _train(progress: ActiveRun, checkpoints: Path, ranks: Ranks) -> None:
    """The loop: from the step that ``progress`` stands at to the last."""
    run, settings, network = progress.run, progress.run.settings, progress.network
    label, stages = f"{run.name} seed {run.seed}", run.architecture.n_stages
    device = network.embedding.device
    classes = run.region_classes.names
    targets = torch.tensor([run.target_bpt[name] for name in classes], device=device)
    bases = settings.batch * (run.window_bp - 1)
    model = ranks.parallel(network, device)
    shown = log.Progress(label, settings.steps, "step", progress.step, show=ranks.main)
    lines = open_curve(checkpoints, progress.step, classes) if ranks.main else nullcontext()
    with shown, stop_request(again_at_once=ranks.world == 1) as stop, lines as curve:
        for step in range(progress.step, settings.steps):
            with ranks.together():  # a shard may be damaged for one process alone
                drawn = progress.batches.next_batch()
            ids, regions = (torch.from_numpy(drawn[key]) for key in ("ids", "regions"))
            assert len(ids) * ranks.world == settings.batch, "not the rows of this process"
            lr = set_rate(progress.optimizer, step, settings)
            values = training_step(model, ids, regions, targets, settings, ranks)
            norm = torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip_norm)
            *sums, norm_sum, asked = _read(ranks, values, norm, bool(stop))
            line = figures(sums, settings.batch, bases, stages, len(classes))
            line |= {"lr": lr, "grad_norm": norm_sum / ranks.world}
            if not math.isfinite(line["lm_loss"] + line["rar_loss"] + line["grad_norm"]):
                ranks.refuse(
                    f"training of {run.name} became not finite (NaN) at step {step}; lower "
                    "pretrain.learning_rate or pretrain.alpha and train again"
                )
            progress.optimizer.step()
            progress.optimizer.zero_grad(set_to_none=True)
            progress.step = done = step + 1
            if curve is not None:
                curve.step(done, {**line, "seconds": round(progress.seconds, 2)})
            last = done == settings.steps
            due = len(run.valid_ids) and (last or done % settings.validate_every == 0)
            write = asked or last or done % settings.checkpoint_every == 0
            if due or write:
                with ranks.together():
                    if due and curve is not None:
                        valid = progress.validate(checkpoints)
                        curve.valid(done, valid)
                        logger.info(
                            f"{label}: step {done}/{settings.steps}, validation perplexity "
                            f"{valid['ppl']:.3f}, bpt {valid['bpt']:.0f}"
                        )
                    if write and curve is not None:
                        curve.flush()
                        progress.save(checkpoints)
            if asked and not last:
                logger.info(
                    f"{run.name}: stopped at step {done}; the same command goes on from there"
                )
                ranks.interrupt()
            shown.show(loss=f"{line['lm_loss']:.3f}", bpt=f"{line['bpt']:.0f}")
            shown.advance()


def _read(ranks: Ranks, values: torch.Tensor, norm: torch.Tensor, stop: bool) -> list[float]:
    """All numbers of a step, summed over the processes and read from the device at once.

    Returns ``values``, the gradient norm, and how many processes were asked to stop.
    """
    asked = values.new_tensor([float(stop)])
    return ranks.add_up(torch.cat([values, norm.double().view(1), asked])).tolist()


def _finish(
    progress: ActiveRun, out: Path, checkpoints: Path, seconds: float, processes: int
) -> None:
    """Write the model folder in one go, then drop the checkpoints (TensorBoard stays)."""
    run, network, best = progress.run, progress.network, progress.best_ppl
    if not math.isfinite(best) or not (checkpoints / BEST).exists():
        save_weights(checkpoints / BEST, network)
    training = {
        "settings": run.settings.model_dump(),
        "corpus_sha256": run.corpus_sha256,
        "init_from": None if run.initial is None else run.initial.to_dict(),
        "processes": processes,
        "seconds": seconds,
        "best_valid_ppl": best if math.isfinite(best) else None,
        "valid": progress.valid,
        "versions": versions(),
        **run.facts,
    }
    card = ModelCard(run.name, run.seed, run.architecture, run.target_bpt, training)
    with replaced_folder(out, FILES) as folder:
        shutil.copy(checkpoints / BEST, folder / BEST)
        shutil.copy(checkpoints / CURVE, folder / CURVE)
        save_pretrained(folder, network, card)
        # the card shows the hashes that config.json holds
        write_text(folder / "README.md", model_card(load_card(folder), network.count_parameters()))
    for name in (STATE, PREVIOUS, BEST, CURVE):
        (checkpoints / name).unlink(missing_ok=True)
