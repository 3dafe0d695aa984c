"""Training on batches that are read ahead: the same weights to the bit, also after a stop."""

import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from toolkit.training import Batches, run_of

from genezip.corpus.stream import ReadAhead, prefetched
from genezip.training.setup import pretrain


class Toy:
    """The toy batches as a stream that can be asked for any batch."""

    batch = 2

    def __init__(self) -> None:
        self.position = 0

    def batch_at(self, position: int) -> dict[str, np.ndarray]:
        batches = Batches()
        batches.load_state_dict({"count": position // self.batch})
        return batches.next_batch()

    def next_batch(self) -> dict[str, np.ndarray]:
        drawn = self.batch_at(self.position)
        self.advance()
        return drawn

    def advance(self) -> None:
        self.position += self.batch

    def state_dict(self) -> dict:
        return {"position": self.position}

    def load_state_dict(self, state: dict) -> None:
        self.position = state["position"]


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Weights of a run that reads nothing ahead."""
    folder = tmp_path_factory.mktemp("plain")
    pretrain(run_of(), Batches(), folder / "model", folder / "checkpoints")
    return weights(folder / "model")


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_reading_ahead_does_not_change_the_weights(
    plain: bytes, tmp_path: Path, workers: int
) -> None:
    with prefetched(Toy(), workers, depth=3) as batches:
        pretrain(run_of(), batches, tmp_path / "ahead", tmp_path / "d")
    assert plain == weights(tmp_path / "ahead")


def test_a_stop_forgets_what_was_read_ahead(
    plain: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    messages: Callable[[], list[str]],
) -> None:
    next_batch, drawn = ReadAhead.next_batch, []

    def stops(self: ReadAhead) -> dict[str, np.ndarray]:
        drawn.append(self)
        if len(drawn) == 7:
            signal.raise_signal(signal.SIGINT)
        return next_batch(self)

    monkeypatch.setattr(ReadAhead, "next_batch", stops)
    with pytest.raises(KeyboardInterrupt), prefetched(Toy(), 1, depth=4) as batches:
        pretrain(run_of(), batches, tmp_path / "model", tmp_path / "d")
    assert batches.state_dict() == {"position": 7 * 2}
    with prefetched(Toy(), 1, depth=4) as batches:
        pretrain(run_of(), batches, tmp_path / "model", tmp_path / "d")
    assert "toy: resuming at step 7 of 12" in messages()
    assert plain == weights(tmp_path / "model")
