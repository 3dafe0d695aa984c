"""What every process of ``test_ranks.py`` does; started twice, with an output folder and a port.

Each scenario ends with a sentence, an interruption or a trained model; the outcomes of a
process are written to ``rank<n>.json``. At last the command itself is given wrong input. It has a
port of its own, because a process that is early would still find the first one at the other port.
"""

import io
import json
import logging
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path

import numpy as np
import torch
from toolkit.command_line import call
from toolkit.networks import SMALL_YAML
from toolkit.training import FIVE_STEPS, Batches, StopsAt, double_network, run_of

from genezip.errors import GenezipError
from genezip.training import fit, objectives, setup
from genezip.training.ranks import Ranks, launched
from genezip.training.setup import pretrain


class FailsAt(StopsAt):
    """Raises a sentence where the other is asked to stop."""

    def next_batch(self) -> dict[str, np.ndarray]:
        if self.count == self.step:
            raise GenezipError("a shard is damaged")
        return super().next_batch()


def outcome(do: Callable[[], object]) -> str:
    try:
        do()
    except GenezipError as error:
        return str(error)
    except (KeyboardInterrupt, SystemExit) as error:
        return type(error).__name__
    return "trained"


def scenarios(out: Path, ranks: Ranks) -> dict[str, str]:
    found = {}

    def train(name: str, batches: Batches, seconds: float = 1e9, **changes: object) -> str:
        run = run_of(**{**FIVE_STEPS, **changes})
        folders = out / name, out / f"{name}.checkpoints"
        fit.CHECKPOINT_SECONDS = seconds
        return outcome(lambda: pretrain(run, batches, *folders, ranks))

    share = {"windows": 4, "unknown": True, "rows": ranks.rows(4)}

    def batches() -> Batches:
        return Batches(**share)

    found["whole"] = train("whole", batches())
    found["recomputed"] = train("recomputed", batches(), micro_batch=1, checkpoint_activations=True)
    # one process alone is asked to stop
    stopped = StopsAt(2, **share) if ranks.rank == 1 else batches()
    found["stopped"] = train("stopped", stopped)
    # one process alone cannot read its rows of step 3; the first one's clock wants checkpoints
    failing = FailsAt(3, **share) if ranks.rank == 1 else batches()
    found["clock"] = train("clock", failing, 0.0 if ranks.main else 1e9)
    found["uneven"] = train("uneven", batches(), batch=3, micro_batch=3)

    def one_fails() -> None:
        with ranks.together():
            if ranks.rank == 1:
                raise GenezipError("the second cannot read")

    found["one fails"] = outcome(one_fails)
    if ranks.rank == 1:  # one process alone sees a loss that is not finite
        lm_loss = objectives.lm_loss
        objectives.lm_loss = lambda *arguments: lm_loss(*arguments) * float("nan")
    found["nan"] = train("nan", batches())
    return found


def command(out: Path) -> str:
    """What ``genezip pretrain`` writes to standard error if its corpus is missing."""
    arguments = [
        "pretrain", "--corpus", out / "none.json", "--name", "toy", "--architecture", SMALL_YAML,
        "--uniform-bpt", 16, "--out", out / "model",
    ]  # fmt: skip
    written = io.StringIO()
    with redirect_stderr(written):
        status = call(*arguments)
    return f"{status} {written.getvalue()}"


if __name__ == "__main__":
    torch.set_num_threads(1)
    setup.build = double_network
    said = logging.StreamHandler(io.StringIO())
    logging.getLogger("genezip").setLevel(logging.INFO)
    logging.getLogger("genezip").addHandler(said)
    with launched() as ranks:
        outcomes = scenarios(Path(sys.argv[1]), ranks)
        outcomes["said"] = said.stream.getvalue()
    os.environ["MASTER_PORT"] = sys.argv[2]
    outcomes["command"] = command(Path(sys.argv[1]))
    (Path(sys.argv[1]) / f"rank{ranks.rank}.json").write_text(json.dumps(outcomes))
