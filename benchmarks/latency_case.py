"""One timing: one model, one input, one length. Run as a program, it prints a row as JSON.

On a CPU every case is such a program of its own, because the peak of a process's memory
never goes down again. On a GPU the peak can be set back, and one process runs them all.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from allocator import malloc_settings
from latency_models import Contender, dnahnet_family, family, hold_to, layout, preset
from torch import Tensor

from genezip.alphabet import A_ID, T_ID
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.layers.ssd import fused_scan
from genezip.models.pretrained import load_card
from genezip.peak import peak_bytes

WARM_UPS, REPEATS, FEWEST = 5, 20, 3
RULE = (
    f"{WARM_UPS} warm-ups and {REPEATS} repeats; warming up ends early after a quarter of the "
    f"seconds of a case, repeating after all of them, but not before 1 and {FEWEST}; a first pass "
    "that takes longer than all of them is the only one"
)
OUT_OF_MEMORY = "out of memory"

COLUMNS = [
    "model",
    "role",
    "layout",
    "parameters",
    "weights",
    "input",
    "length_bp",
    "median_ms",
    "mean_ms",
    "sd_ms",
    "warm_ups",
    "repeats",
    "tokens_per_stage",
    "bpt",
    "tokens_by",
    "peak_mb",
    "loaded_mb",
    "device",
    "threads",
    "dtype",
    "scan",
    "segment_bp",
    "fixed_capacity",
    "torch",
    "malloc",
    "rule",
    "note",
]
SNIPPET_BP = 1024


@dataclass(frozen=True)
class Case:
    """What to time.

    Attributes
    ----------
    preset : one of :data:`latency_models.PRESETS`
    role : which member of the family (:class:`latency_models.Contender`)
    input : ``repeated snippet`` or ``real sequence``
    length : bp
    sequence : .npy of token ids, at least ``length`` long; None is the repeated snippet
    device : ``cpu`` or ``cuda``
    threads : of the CPU
    seconds : time for the repeats
    bpt : bases per token of untrained GeneZip
    model : folder of trained weights for GeneZip
    fixed_capacity : token slots from the bound, so that no count is read from the device
    segment : positions per segment; None leaves the network's own
    """

    preset: str
    role: str
    input: str
    length: int
    sequence: str | None
    device: str
    threads: int
    seconds: float
    bpt: float
    model: str | None = None
    fixed_capacity: bool = False
    segment: int | None = None


def contenders(name: str, bpt: float, model: str | None) -> dict[str, Contender]:
    """The family of a preset, or of the trained model that takes its place."""
    if name.startswith("dnahnet"):
        members = dnahnet_family(name, model)
    elif model is None:
        members = family(f"GeneZip-{name}", preset(name), bpt)
    else:
        card = load_card(model)
        members = family(card.name, card.architecture, bpt, model)
    return {member.role: member for member in members}


@lru_cache(maxsize=1)
def loaded(contender: Contender, device: str) -> GeneZipNetwork:
    """The network on its device; the last one stays until the next."""
    with torch.device(device):  # random weights are drawn there: 636M take long on a CPU
        return contender.load().to(device)


def input_ids(case: Case) -> Tensor:
    """uint8 Tensor, shape (1, length)."""
    if case.sequence is None:
        snippet = np.random.default_rng(0).integers(A_ID, T_ID + 1, SNIPPET_BP, dtype=np.uint8)
        ids = np.resize(snippet, case.length)
    else:
        ids = np.load(case.sequence)[: case.length]
        if len(ids) < case.length:
            raise ValueError(f"{case.sequence} has {len(ids)} bases, fewer than {case.length}")
    return torch.from_numpy(np.ascontiguousarray(ids)).unsqueeze(0)


def timed(run: Callable[[], float], seconds: float) -> tuple[int, list[float]]:
    """Number of warm-ups, and the seconds of every repeat, by :data:`RULE`."""
    began = time.perf_counter()
    first = run()
    if first > seconds:
        return 0, [first]
    warm_ups = 1
    times: list[float] = []
    while warm_ups < WARM_UPS and time.perf_counter() - began < seconds / 4:
        run()
        warm_ups += 1
    while len(times) < FEWEST or (len(times) < REPEATS and time.perf_counter() - began < seconds):
        times.append(run())
    return warm_ups, times


def forward(network: GeneZipNetwork, ids: Tensor) -> tuple[float, list[int]]:
    """Seconds of one forward pass by the wall clock, and the tokens of each stage.

    On a GPU bf16 autocast, and the device is waited for before and after.
    """
    on_gpu = ids.is_cuda
    half: AbstractContextManager[Any] = nullcontext()
    if on_gpu:
        half = torch.autocast("cuda", torch.bfloat16)
        torch.cuda.synchronize()
    with torch.inference_mode(), half:
        began = time.perf_counter()
        output = network(ids)
        if on_gpu:
            torch.cuda.synchronize()
        took = time.perf_counter() - began
        return took, [int(kept.valid.sum()) for kept in output.chunks]


def measure(case: Case) -> dict[str, Any]:
    """The row of a case; where memory does not suffice, a row whose note says so."""
    torch.set_num_threads(case.threads)
    contender = contenders(case.preset, case.bpt, case.model)[case.role]
    network = loaded(contender, case.device)
    network.fixed_capacity = case.fixed_capacity
    if case.segment is not None:
        network.segment = {case.device: case.segment}
    hold_to(network, case.length, contender.bpt)
    ids = input_ids(case).to(case.device)
    peak = peak_from_here(case.device)
    row = {**describe(case, contender, network), "loaded_mb": peak() / 1e6}
    tokens: list[int] = []

    def once() -> float:
        took, tokens[:] = forward(network, ids)
        return took

    found = timed_row(row, once, case.seconds, peak)
    if found["note"] == OUT_OF_MEMORY:
        return found
    return {
        **found,
        "tokens_per_stage": ",".join(str(count) for count in tokens),
        "bpt": case.length / tokens[-1] if tokens and tokens[-1] else None if tokens else 1.0,
    }


def timed_row(
    row: dict[str, Any], once: Callable[[], float], seconds: float, peak: Callable[[], float]
) -> dict[str, Any]:
    """A row with times and peak memory, or with the note that memory ran out.

    Parameters
    ----------
    row : what is known before
    once : runs the model, and returns the seconds that it took
    seconds : for the repeats
    peak : bytes at most so far
    """
    try:
        warm_ups, times = timed(once, seconds)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        return {**row, "note": OUT_OF_MEMORY}
    return {
        **row,
        "median_ms": 1000 * statistics.median(times),
        "mean_ms": 1000 * statistics.fmean(times),
        "sd_ms": 1000 * statistics.stdev(times) if len(times) > 1 else None,
        "warm_ups": warm_ups,
        "repeats": len(times),
        "peak_mb": peak() / 1e6,
    }


def describe(case: Case, contender: Contender, network: GeneZipNetwork) -> dict[str, Any]:
    """The columns that are known before anything ran."""
    on_gpu = case.device == "cuda"
    return {
        **dict.fromkeys(COLUMNS),
        "model": contender.name,
        "role": contender.role,
        "layout": layout(contender.shape),
        "parameters": network.count_parameters(),
        "weights": "trained" if contender.folder else "random",
        "input": case.input,
        "length_bp": case.length,
        "tokens_by": contender.tokens_by,
        "device": torch.cuda.get_device_name() if on_gpu else processor(),
        "threads": case.threads,
        "dtype": "bf16 autocast" if on_gpu else "float32",
        "scan": "mamba-ssm" if on_gpu and fused_scan() is not None else "plain PyTorch",
        "segment_bp": network.segment[case.device],
        "fixed_capacity": case.fixed_capacity,
        "torch": torch.__version__,
        "malloc": malloc_settings(),
        "rule": RULE,
        "note": "",
    }


def processor() -> str:
    """Name of the CPU."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return "CPU"


def peak_from_here(device: str) -> Callable[[], float]:
    """A function that reads the peak from here on, in bytes.

    On a CPU that is the largest resident set of the process, interpreter included.
    """
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.max_memory_allocated
    return peak_bytes


def out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out: of torch, of the driver or of its libraries."""
    words = ("can't allocate memory", "out of memory", "ALLOC_FAILED")
    cause = error.__context__  # the package turns the error of torch into a sentence
    if isinstance(error, torch.OutOfMemoryError) or isinstance(cause, torch.OutOfMemoryError):
        return True
    return any(word in str(error) for word in words)


def as_json(case: Case) -> str:
    """The argument of this program."""
    return json.dumps(asdict(case))


if __name__ == "__main__":
    print(json.dumps(measure(Case(**json.loads(sys.argv[1])))))
