"""Pretraining: one visible loop, resumable at any step.

Checkpoints live in a folder of their own, because a workflow deletes the declared outputs
of a job that failed; the finished model is written in one go at the end.
"""

import json
import math
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch
from tqdm import tqdm

from genezip.config import Pretrain
from genezip.data.batches import WindowStream
from genezip.data.folder import replaced_folder
from genezip.errors import GenezipError
from genezip.models.architecture import Architecture
from genezip.models.device import choose_device
from genezip.models.losses import count_targets, lm_loss, rar_loss
from genezip.models.network import GeneZipNetwork, build
from genezip.models.pretrained import BEST, ModelCard, save_pretrained, save_weights
from genezip.provenance import sha256_json, versions, write_text
from genezip.taxonomy import CLASSES
from genezip.training.checkpoint import STATE, TrainingState, load_state, save_state
from genezip.training.interrupt import stop_request
from genezip.training.model_card import model_card
from genezip.training.optim import build_optimizer, set_rate
from genezip.training.validation import validate

CURVE = "curve.jsonl"
FILES = ("model.safetensors", BEST, "config.json", CURVE, "README.md")


@dataclass(frozen=True)
class Run:
    """What one training run is made of.

    Attributes
    ----------
    name, seed : model name and seed of weights and sampling
    architecture, settings, target_bpt : layout, optimisation, target per region class
    corpus_sha256 : hash of the corpus manifest, part of the run's identity
    valid_ids, valid_regions : uint8 arrays, shape (n, L); may be empty
    facts : further provenance for ``config.json`` (scale, source, where the target came from)
    """

    name: str
    seed: int
    architecture: Architecture
    settings: Pretrain
    target_bpt: dict[str, float]
    corpus_sha256: str
    valid_ids: np.ndarray
    valid_regions: np.ndarray
    facts: dict[str, Any]

    def identity(self) -> str:
        """Hash of everything that must be equal for a checkpoint to be continued."""
        return sha256_json(
            [
                self.name,
                self.seed,
                self.architecture.to_dict(),
                self.settings.model_dump(),
                self.target_bpt,
                self.corpus_sha256,
            ]
        )


def training_step(
    network: GeneZipNetwork,
    ids: torch.Tensor,
    regions: torch.Tensor,
    target_bpt: torch.Tensor,
    settings: Pretrain,
) -> dict[str, Any]:
    """Forward and backward of one optimiser step, in micro-batches.

    The network sees bases 0 .. L - 2 and predicts 1 .. L - 1; RAR uses the labels of the
    positions it sees. Gradients are added up in place: the next-base loss is the mean over
    the informative targets of the whole batch, RAR the mean over its sequences; the log is
    of the whole batch as well.
    """
    parts = math.ceil(len(ids) / settings.micro_batch)
    informative = count_targets(ids)
    log: dict[str, Any] = {"lm_loss": 0.0, "rar_loss": 0.0}
    sums, counts, bit = [], [], 0
    for part in range(parts):
        rows = slice(part * settings.micro_batch, (part + 1) * settings.micro_batch)
        batch, labels = ids[rows], regions[rows]
        share = len(batch) / len(ids)
        with torch.autocast(
            ids.device.type, dtype=torch.bfloat16, enabled=settings.precision == "bf16"
        ):
            output = network(batch[:, :-1])
        lm = lm_loss(output.logits, batch, informative)
        rar, stage_sums = rar_loss(
            output, labels[:, :-1], target_bpt, settings.rar_mask, settings.region_label
        )
        rar = rar * share
        (lm + settings.alpha * rar).backward()
        log["lm_loss"] += float(lm.detach())
        log["rar_loss"] += float(rar.detach())
        sums.append(stage_sums)
        counts.append([int(c.valid.sum()) for c in output.chunks])
        bits = torch.stack([routing.bound_bit() for routing in output.routings])
        bit += int(bits.any(dim=0).sum())
    positions = [ids.shape[0] * (ids.shape[1] - 1), *np.sum(counts, axis=0).tolist()]
    log["stage_tokens"] = positions[1:]
    log["kept"] = [b / a for a, b in pairwise(positions)]
    log["bpt"] = positions[0] / positions[-1]
    positions_of, kept, prob = torch.stack(sums).sum(0).unbind(-1)
    log["F"] = _rounded(kept / positions_of)
    log["G"] = _rounded(prob / positions_of)
    log["bound_bit"] = bit / len(ids)
    return log


def _rounded(values: torch.Tensor) -> list[list[float | None]]:
    """Per stage and class, with None for an absent class (JSON has no NaN)."""
    rows = values.tolist()
    return [[None if math.isnan(v) else round(v, 5) for v in row] for row in rows]


def pretrain(
    run: Run,
    batches: WindowStream,
    out: Path,
    checkpoints: Path,
    say: Callable[[str], None] = lambda text: print(text, file=sys.stderr, flush=True),
) -> dict[str, Any]:
    """Train a model and write its folder; continue an interrupted run of the same identity.

    Writes into ``out``: ``model.safetensors`` (last step), ``best.safetensors`` (lowest
    validation perplexity), ``config.json``, ``curve.jsonl`` and ``README.md``.

    Raises
    ------
    GenezipError
        When loss or gradient stops being finite; the last checkpoint stays.
    KeyboardInterrupt
        On Ctrl-C, after the step in progress is finished and a checkpoint is written.
    """
    settings = run.settings
    device = choose_device(settings.device)
    network = build(run.architecture, run.seed).to(device).train()
    optimizer = build_optimizer(network, settings)
    targets = torch.tensor([run.target_bpt[name] for name in CLASSES], device=device)
    identity = run.identity()
    curve = checkpoints / CURVE
    first, best, spent = 0, math.inf, 0.0
    checkpoints.mkdir(parents=True, exist_ok=True)
    state = load_state(checkpoints, identity)
    if state is not None:
        network.load_state_dict(state.network)
        optimizer.load_state_dict(state.optimizer)
        batches.load_state_dict(state.batches)
        first, best, spent = state.step, state.best_ppl, state.seconds
        say(f"{run.name}: resuming at step {first} of {settings.steps}")
    _cut_curve(curve, first)
    began = time.monotonic() - spent

    def checkpoint(step: int) -> None:
        save_state(
            checkpoints,
            TrainingState(
                identity,
                step,
                network.state_dict(),
                optimizer.state_dict(),
                batches.state_dict(),
                best,
                time.monotonic() - began,
            ),
        )

    bar = tqdm(
        total=settings.steps,
        initial=first,
        desc=f"{run.name} seed {run.seed}",
        unit="step",
        disable=None,
        mininterval=1.0,
    )
    try:
        with stop_request() as stop, _appended(curve) as log:
            for step in range(first, settings.steps):
                drawn = batches.next_batch()
                ids, regions = (
                    torch.from_numpy(drawn[key]).to(device) for key in ("ids", "regions")
                )
                lr = set_rate(optimizer, step, settings)
                record = training_step(network, ids, regions, targets, settings)
                norm = float(
                    torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip_norm)
                )
                if not math.isfinite(record["lm_loss"] + record["rar_loss"] + norm):
                    raise GenezipError(
                        f"training of {run.name} became not finite (NaN) at step {step}; lower "
                        "pretrain.learning_rate or pretrain.alpha and train again"
                    )
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                done = step + 1
                line = {"step": done, "lr": lr, "grad_norm": norm, **record}
                line["seconds"] = round(time.monotonic() - began, 2)
                log.write(json.dumps(line) + "\n")
                if len(run.valid_ids) and (
                    done % settings.validate_every == 0 or done == settings.steps
                ):
                    valid = validate(network, run.valid_ids, run.valid_regions, run.target_bpt)
                    log.write(json.dumps({"step": done, "valid": valid}) + "\n")
                    if valid["ppl"] < best:
                        best = valid["ppl"]
                        save_weights(checkpoints / BEST, network)
                    if bar.disable:
                        say(
                            f"{run.name} seed {run.seed}: step {done}/{settings.steps}, "
                            f"validation perplexity {valid['ppl']:.3f}, bpt {valid['bpt']:.0f}"
                        )
                last = done == settings.steps
                if stop or last or done % settings.checkpoint_every == 0:
                    log.flush()
                    checkpoint(done)
                if stop and not last:
                    say(f"{run.name}: stopped at step {done}; the same command goes on from there")
                    raise KeyboardInterrupt
                bar.set_postfix(loss=f"{record['lm_loss']:.3f}", bpt=f"{record['bpt']:.0f}")
                bar.update()
    finally:
        bar.close()
    if not math.isfinite(best):
        save_weights(checkpoints / BEST, network)
    seconds = round(time.monotonic() - began, 1)
    _finish(run, network, out, checkpoints, {"seconds": seconds, "best_valid_ppl": best})
    return {"seconds": seconds, "best_valid_ppl": best}


@contextmanager
def _appended(curve: Path) -> Iterator[TextIO]:
    """The open log; a full disk while writing it is one sentence."""
    try:
        with open(curve, "a", encoding="utf-8") as log:
            yield log
    except OSError as error:
        raise GenezipError(
            f"cannot write {curve}: {error.strerror}; free space, then train again: the run "
            "goes on from its last checkpoint"
        ) from error


def _finish(
    run: Run, network: GeneZipNetwork, out: Path, checkpoints: Path, result: dict[str, Any]
) -> None:
    """Write the model folder in one go, then drop the checkpoints."""
    best = result["best_valid_ppl"]
    training = {
        "settings": run.settings.model_dump(),
        "corpus_sha256": run.corpus_sha256,
        "seconds": result["seconds"],
        "best_valid_ppl": best if math.isfinite(best) else None,
        "versions": versions(),
        **run.facts,
    }
    card = ModelCard(run.name, run.seed, run.architecture, run.target_bpt, training)
    with replaced_folder(out, FILES) as folder:
        shutil.copy(checkpoints / BEST, folder / BEST)
        shutil.copy(checkpoints / CURVE, folder / CURVE)
        write_text(folder / "README.md", model_card(card, network.count_parameters()))
        save_pretrained(folder, network, card)
    for name in (STATE, BEST, CURVE):
        (checkpoints / name).unlink(missing_ok=True)


def _cut_curve(curve: Path, step: int) -> None:
    """Keep the log up to a step, so that a resumed run continues it without a seam."""
    lines = curve.read_text(encoding="utf-8").splitlines() if curve.exists() else []
    kept = []
    for line in lines:
        try:
            if json.loads(line)["step"] <= step and step > 0:
                kept.append(line)
        except json.JSONDecodeError:
            break  # a line cut off by a crash
    write_text(curve, "".join(f"{line}\n" for line in kept))
