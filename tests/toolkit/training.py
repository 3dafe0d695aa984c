"""A toy run of pretraining: easy batches, settings, and what is left of it."""

import json
import signal
from pathlib import Path

import numpy as np

from genezip.alphabet import N_ID
from genezip.config import Pretrain
from genezip.models.hnet.network import GeneZipNetwork, build
from genezip.region_classes import CLASSES, GENE7
from genezip.training.objectives import NextBase
from genezip.training.setup import Run
from toolkit.networks import SMALL

WINDOW_BP = 128
FIVE_STEPS = {"steps": 5, "batch": 4, "micro_batch": 4, "warmup_steps": 1, "validate_every": 5}


class Batches:
    """ACGT repeated, from a random phase: easy to learn. Row i of a batch may hold 16 i N.

    ``rows`` are those of every batch that are given out.
    """

    def __init__(
        self, seed: int = 0, windows: int = 2, unknown: bool = False, rows: slice = slice(None)
    ) -> None:
        self.count, self.seed, self.windows, self.unknown = 0, seed, windows, unknown
        self.rows = rows

    def next_batch(self) -> dict[str, np.ndarray]:
        random = np.random.default_rng([self.seed, self.count])
        self.count += 1
        ids = (np.arange(WINDOW_BP) + random.integers(4, size=(self.windows, 1))) % 4 + 3
        regions = np.repeat(random.integers(7, size=(self.windows, 4)), WINDOW_BP // 4, axis=1)
        if self.unknown:
            for row in range(self.windows):
                ids[row, 40 : 40 + 16 * row] = N_ID
        ids, regions = ids[self.rows], regions[self.rows]
        return {"ids": ids.astype(np.uint8), "regions": regions.astype(np.uint8)}

    def state_dict(self) -> dict:
        return {"count": self.count}

    def load_state_dict(self, state: dict) -> None:
        self.count = state["count"]


class StopsAt(Batches):
    """Raises a real SIGINT while the batch of one step is drawn."""

    def __init__(self, step: int, **changes: object) -> None:
        super().__init__(**changes)  # type: ignore[arg-type]
        self.step = step

    def next_batch(self) -> dict[str, np.ndarray]:
        if self.count == self.step:
            signal.raise_signal(signal.SIGINT)
        return super().next_batch()


def run_of(**changes: object) -> Run:
    """A run of 12 steps on the toy windows; keys of ``Pretrain`` or fields of ``Run``."""
    values = {
        "steps": 12, "batch": 2, "micro_batch": 2, "warmup_steps": 2, "learning_rate": 3e-3,
        "precision": "fp32", "device": "cpu", "validate_every": 4, "checkpoint_every": 5,
        "rar_mask": "pre", "alpha": 0.1, "clip_norm": 1.0,
    }  # fmt: skip
    drawn = Batches(9).next_batch()
    fields = {
        "name": "toy", "seed": 0, "architecture": SMALL,
        "target_bpt": dict.fromkeys(CLASSES, 16.0), "corpus_sha256": "hash",
        "window_bp": WINDOW_BP, "valid_ids": drawn["ids"], "valid_regions": drawn["regions"],
        "facts": {"scale": "test", "source": "simulated"}, "initial": None,
        "region_classes": GENE7, "compressor": "genezip",
    }  # fmt: skip
    fields |= {key: changes.pop(key) for key in list(changes) if key in fields}
    return Run(settings=Pretrain(**{**values, **changes}), **fields)  # type: ignore[arg-type]


def next_base(network: GeneZipNetwork, run: Run) -> NextBase:
    """The objective of a run for a network that one process trains."""
    return NextBase(
        run.name, "toy", network, network, run.settings, run.target_bpt, run.window_bp,
        run.valid_ids, run.valid_regions, run.region_classes,
    )  # fmt: skip


def curve_of(folder: Path, drop: tuple[str, ...] = ("seconds",)) -> list[dict]:
    """Lines of a curve, without the keys that depend on the clock."""
    lines = [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in drop} for line in lines]


def double_network(*arguments: object) -> GeneZipNetwork:
    """The network in float64, so that only rounding at 1e-16 depends on who adds what."""
    return build(*arguments).double()  # type: ignore[arg-type]
