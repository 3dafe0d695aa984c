"""The processes (ranks) of one training run, one per GPU, and their communication.

``torchrun`` starts them and sets their ranks in the environment. Without it there is one process
and no communication. All read the same corpus and checkpoint folder (shared by the nodes); each
decodes its rows of every batch, and only rank 0 writes and logs.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from genezip import log
from genezip.errors import GenezipError
from genezip.models.device import choose_device

# Longest time that the others wait for validation and writing by rank 0.
PATIENCE = timedelta(hours=2)
T = TypeVar("T")
LAUNCHED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR")


@dataclass(frozen=True)
class Ranks:
    """Rank of this process and number of processes, in the run and (``local``) on this machine."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    local_world: int = 1

    @property
    def main(self) -> bool:
        """Whether this process writes and logs."""
        return self.rank == 0

    def device(self, name: str) -> torch.device:
        """Device of this process: ``cpu``, or the CUDA device of its local rank."""
        device = choose_device(name)
        if device.type != "cuda" or self.world == 1:
            return device
        if self.local_world > torch.cuda.device_count():
            raise GenezipError(
                f"{self.local_world} processes share {torch.cuda.device_count()} GPUs; start as "
                "many processes as there are GPUs (torchrun --nproc-per-node)"
            )
        device = torch.device("cuda", self.local_rank)
        torch.cuda.set_device(device)
        return device

    def rows(self, batch: int) -> slice:
        """Rows of a batch that belong to this process; all processes have equally many."""
        if batch % self.world:
            raise GenezipError(
                f"pretrain.batch {batch} cannot be shared equally by {self.world} processes; "
                "choose a batch that is a multiple of their number"
            )
        share = batch // self.world
        return slice(self.rank * share, (self.rank + 1) * share)

    def parallel(self, network: nn.Module, device: torch.device) -> nn.Module:
        """The network, with gradients averaged over the processes in the backward pass."""
        if self.world == 1:
            return network
        return DistributedDataParallel(
            network,
            device_ids=[device.index] if device.type == "cuda" else None,
            gradient_as_bucket_view=True,  # no second copy of the gradients
        )

    def add_up(self, values: Tensor) -> Tensor:
        """Sum of a tensor over the processes, in place."""
        if self.world > 1:
            distributed.all_reduce(values)
        return values

    def consecutive(self, count: int, batch: int) -> slice:
        """This process's share of a number of items: consecutive ones, in whole batches."""
        batches = -(-count // batch)
        low, high = (batches * place // self.world for place in (self.rank, self.rank + 1))
        return slice(low * batch, min(high * batch, count))

    def gathered(self, value: T) -> list[T]:
        """The values of all ranks, in their order; all must call this."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        distributed.all_gather_object(values, value)
        return values

    def of_main(self, value: T) -> T:
        """The value of rank 0, on every rank; all must call this."""
        if self.world == 1:
            return value
        values: list[Any] = [value]
        distributed.broadcast_object_list(values)
        found: T = values[0]
        return found

    @contextmanager
    def together(self) -> Iterator[None]:
        """Run the block on every rank. If any rank fails, all raise and rank 0 reports the error.

        So no rank waits forever for another.
        """
        sentence: str | None = None
        try:
            yield
        except GenezipError as error:
            if self.world == 1:
                raise
            sentence = str(error)
        if self.world == 1:
            return
        for found in self.gathered(sentence):
            if found is not None:
                self.refuse(found)

    def refuse(self, sentence: str) -> NoReturn:
        """End every process; all must call this. Rank 0 reports the error."""
        if self.main:
            raise GenezipError(sentence)
        raise SystemExit(1)

    def interrupt(self) -> NoReturn:
        """End every process as Ctrl-C does; all must call this."""
        if self.main:
            raise KeyboardInterrupt
        raise SystemExit(1)


ALONE = Ranks()


def local_gradients(model: nn.Module, more: bool) -> AbstractContextManager[None]:
    """Keep gradients on this process while ``more`` micro-batches follow."""
    if more and isinstance(model, DistributedDataParallel):
        return model.no_sync()
    return nullcontext()


@contextmanager
def launched() -> Iterator[Ranks]:
    """The processes that ``torchrun`` started, connected for the block; else this process alone.

    Only rank 0 logs. CUDA tensors are sent by nccl, CPU tensors and errors by gloo.
    """
    if not all(name in os.environ for name in LAUNCHED):
        yield ALONE
        return
    numbers = (int(os.environ[name]) for name in LAUNCHED[:4])
    rank, world, local_rank, local_world = numbers
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(backend, timeout=PATIENCE)
    try:
        with log.quiet() if rank else nullcontext():
            yield Ranks(rank, world, local_rank, local_world)
    finally:
        distributed.destroy_process_group()
