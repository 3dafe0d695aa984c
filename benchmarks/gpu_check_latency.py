"""Forward latency and peak memory for the GPU check: GeneZip, its flat peer, and a Llama.

GeneZip and the flat peer are timed by :func:`latency_case.measure`, like the figure. The Llama
is that of transformers with random weights, about as many parameters, the width of GeneZip's
trunk, and reads the same DNA as 6-mers that do not overlap. It gives states, no logits.
"""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from gpu_check_report import NO_TIME, Report
from latency_case import (
    COLUMNS,
    FEWEST,
    Case,
    input_ids,
    loaded,
    measure,
    out_of_memory,
    peak_from_here,
    timed_row,
)
from latency_floors import AIM, MILLION, floor_of
from latency_models import GENEZIP_BPT, parameters, preset
from torch import Tensor, nn

from genezip.alphabet import A_ID

LENGTHS = tuple(16_384 * 2**power for power in range(7))
SNIPPET = "repeated snippet"
# Which member of the family is the flat peer: that of the paper for 70M (Mamba2-84M, the same
# depth), one of equal size for 636M, of which the paper names none.
PEER = {"tiny": "flat", "70m": "flat", "636m": "flat-equal"}
KMER = 6
VOCABULARY = 4**KMER
LLAMA = "llama"
LOADING = 10.0  # seconds without which no model is begun

Timer = Callable[[Case], dict[str, Any]]


@dataclass(frozen=True)
class Grid:
    """What is timed.

    Attributes
    ----------
    presets : of GeneZip, each with its peers
    lengths : bp, rising
    device : ``cpu`` or ``cuda``
    seconds : for the repeats of one length
    """

    presets: tuple[str, ...]
    lengths: tuple[int, ...]
    device: str
    seconds: float


def run_latency(
    report: Report, found: dict[str, Any], grid: Grid, timer: Timer | None = None
) -> None:
    """Time every model at every length that the budget allows; rows like those of the figure.

    Parameters
    ----------
    timer : times a case; :func:`measure_any` without it
    """
    rows: list[dict[str, Any]] = []
    found["rows"] = rows
    for name in grid.presets:
        for role in ("genezip", PEER[name], LLAMA):
            for row in lengths_of(report, grid, name, role, timer or measure_any):
                rows.append(row)
                tell(report, row)
    found["ratios"] = ratios(rows)
    for ratio in found["ratios"]:
        title = f"{ratio['model']}, {ratio['length_bp']:,} bp: time of {ratio['peer']} / its own"
        report.figure(title, ratio["times"], "times")


def lengths_of(
    report: Report, grid: Grid, name: str, role: str, timer: Timer
) -> Iterator[dict[str, Any]]:
    """Rows of one model; ends where a length would outrun the budget, or a package is missing."""
    release()
    before: dict[str, Any] | None = None
    for number, length in enumerate(grid.lengths):
        case = Case(
            preset=name, role=role, input=SNIPPET, length=length, sequence=None,
            device=grid.device, threads=torch.get_num_threads(), seconds=grid.seconds,
            bpt=GENEZIP_BPT,
        )  # fmt: skip
        if expected_seconds(before, case) >= report.budget.left():
            for left in grid.lengths[number:]:
                report.leave_out(f"latency of {role} beside GeneZip-{name}, {left:,} bp", NO_TIME)
            return
        began = time.perf_counter()
        try:
            row = timer(case)
        except ModuleNotFoundError as error:
            report.leave_out(f"{role.capitalize()} beside GeneZip-{name}", str(error))
            return
        except Exception as error:  # the other lengths and models are still worth their time
            if not out_of_memory(error):
                report.failed(f"latency of {role} beside GeneZip-{name}, {length:,} bp", error)
                continue
            row = no_room(case)
        row["preset"] = name
        row["seconds"] = round(time.perf_counter() - began, 2)
        before = row if row["median_ms"] is not None else before
        yield row


def no_room(case: Case) -> dict[str, Any]:
    """The row of a case whose model did not even fit."""
    names = {"model": f"{case.role} beside GeneZip-{case.preset}", "role": case.role}
    facts = {"length_bp": case.length, "device": case.device, "note": "out of memory"}
    return {**dict.fromkeys(COLUMNS), **names, **facts}


def expected_seconds(before: dict[str, Any] | None, case: Case) -> float:
    """How long a case may take, from the last shorter one that did not run out of memory."""
    if before is None:
        return LOADING if case.device == "cuda" else case.seconds
    longer = case.length / before["length_bp"]
    growth = longer**2 if case.role == LLAMA else longer
    return max(case.seconds, (1 + FEWEST) * before["median_ms"] / 1000 * growth)


def tell(report: Report, row: dict[str, Any]) -> None:
    """The figures of a row; time has a goal where the floor of the device is known."""
    title = f"{row['model']}, {row['length_bp']:,} bp"
    floor = floor_of(str(row["device"]), row["role"], str(row["layout"]))
    if floor is not None:
        row["floor_ms"] = floor.larger(row["length_bp"])
    goal = met = None
    # the aim is that of GeneZip, at about one million bases
    if floor is not None and row["role"] == "genezip" and row["length_bp"] >= MILLION:
        goal = f"at most {AIM:g} times the floor of {row['floor_ms']:.0f} ms"
        met = row["median_ms"] is not None and row["median_ms"] <= AIM * row["floor_ms"]
    if row["median_ms"] is None:
        report.figure(f"{title}: time ({row['note']})", None, "ms", goal, met)
        return
    if floor is not None:
        row["times_floor"] = row["median_ms"] / row["floor_ms"]
        report.figure(f"{title}: time / floor", row["times_floor"], "times")
    report.figure(f"{title}: time", row["median_ms"], "ms", goal, met)
    report.figure(f"{title}: peak memory", row["peak_mb"], "MB")


def ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How many times as long as GeneZip each peer of its size takes, at equal length."""
    found, genezip = [], {}
    for row in rows:  # a GeneZip stands before its peers
        if row["median_ms"] is None:
            continue
        if row["role"] == "genezip":
            genezip[row["preset"], row["length_bp"]] = row
        elif own := genezip.get((row["preset"], row["length_bp"])):
            times = row["median_ms"] / own["median_ms"]
            names = {"model": own["model"], "peer": row["model"], "length_bp": row["length_bp"]}
            found.append({**names, "times": times})
    return found


@dataclass(frozen=True)
class LlamaShape:
    """Layers x width; heads of 64 (32 where that does not divide), MLP of 8/3 width."""

    width: int
    layers: int

    @property
    def heads(self) -> int:
        """Attention heads."""
        return self.width // (64 if self.width % 64 == 0 else 32)

    @property
    def inner(self) -> int:
        """Width inside the MLP."""
        return 8 * self.width // 3

    def parameters(self) -> int:
        """Four projections, three of the MLP, two norms a layer; embedding and last norm."""
        width = self.width
        layer = 4 * width**2 + 3 * width * self.inner + 2 * width
        return (VOCABULARY + 1) * width + self.layers * layer

    def build(self, positions: int, device: str) -> nn.Module:
        """The model with random weights, bf16 on a GPU."""
        from transformers import LlamaConfig, LlamaModel

        attention: dict[str, Any] = {"attn_implementation": "sdpa"}
        config = LlamaConfig(
            vocab_size=VOCABULARY, hidden_size=self.width, intermediate_size=self.inner,
            num_hidden_layers=self.layers, num_attention_heads=self.heads,
            num_key_value_heads=self.heads, max_position_embeddings=positions, use_cache=False,
            **attention,
        )  # fmt: skip
        with torch.device(device):
            model = LlamaModel(config).eval()
        return model.to(torch.bfloat16) if device == "cuda" else model


def llama_beside(name: str) -> LlamaShape:
    """The Llama at the trunk's width whose parameters come nearest to those of GeneZip."""
    shape = preset(name)
    one, two = (LlamaShape(shape.d_model[-1], layers) for layers in (1, 2))
    layer = two.parameters() - one.parameters()
    layers = 1 + round((parameters(shape) - one.parameters()) / layer)
    return replace(one, layers=max(1, layers))


def sixmers(ids: Tensor) -> Tensor:
    """Bases (1, L) -> 6-mers (1, L // 6), int64: the number in base 4, A = 0; a rest is cut."""
    digits = (ids[:, : ids.shape[1] // KMER * KMER].long() - A_ID).unflatten(1, (-1, KMER))
    return digits @ 4 ** torch.arange(KMER - 1, -1, -1)


_llamas: dict[str, nn.Module] = {}


def _llama(name: str, device: str) -> nn.Module:
    """The Llama of a preset, one at a time in memory."""
    if name not in _llamas:
        _llamas.clear()
        _llamas[name] = llama_beside(name).build(max(LENGTHS) // KMER + 1, device)
    return _llamas[name]


def release() -> None:
    """Forget the models of before, whose weights would count in the next one's peak."""
    loaded.cache_clear()
    _llamas.clear()
    gc.collect()


def measure_any(case: Case) -> dict[str, Any]:
    """The row of a case: of the Llama, or of a model of the family."""
    return measure_llama(case) if case.role == LLAMA else measure(case)


def measure_llama(case: Case) -> dict[str, Any]:
    """A row like that of :func:`latency_case.measure`, for the Llama beside a preset."""
    shape = llama_beside(case.preset)
    on_gpu = case.device == "cuda"
    model = _llama(case.preset, case.device)
    tokens = sixmers(input_ids(case)).to(case.device)
    peak = peak_from_here(case.device)
    row = {
        **dict.fromkeys(COLUMNS),
        "model": f"Llama-{shape.parameters() / 1e6:.3g}M, 6-mers",
        "role": LLAMA,
        "layout": f"{shape.layers}x{shape.width}",
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "weights": "random",
        "input": case.input,
        "length_bp": case.length,
        "tokens_per_stage": str(tokens.shape[1]),
        "bpt": float(KMER),
        "device": torch.cuda.get_device_name() if on_gpu else "CPU",
        "dtype": "bf16" if on_gpu else "float32",
        "torch": torch.__version__,
        "loaded_mb": peak() / 1e6,
        "note": "",
    }
    wait = torch.cuda.synchronize if on_gpu else nullcontext

    def once() -> float:
        with torch.inference_mode():
            wait()
            began = time.perf_counter()
            model(input_ids=tokens, use_cache=False)
            wait()
            return time.perf_counter() - began

    return timed_row(row, once, case.seconds, peak)
