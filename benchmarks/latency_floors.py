"""How far a GPU is from what its memory and its arithmetic allow.

The floors are analytic: bytes moved by kernels that do one step of a layer each (bf16
activations, fp32 residual stream) over the bandwidth a device reaches, and operations over
the rate it reaches, for one million bases. ``larger`` assumes that traffic and arithmetic
overlap entirely, ``sum`` that they do not. Nobody measured them; they say what to hope for.
"""

from dataclasses import dataclass

import pandas as pd

MILLION = 1_000_000
AIM = 3.0  # times the larger floor, at about one million bases


@dataclass(frozen=True)
class Floor:
    """Milliseconds per million bases: traffic of memory, and arithmetic."""

    memory: float
    arithmetic: float

    def larger(self, length: int) -> float:
        """ms where both overlap."""
        return max(self.memory, self.arithmetic) * length / MILLION

    def sum(self, length: int) -> float:
        """ms where neither hides the other."""
        return (self.memory + self.arithmetic) * length / MILLION


# (part of the device's name, role, layout) -> floor, with H200: 790 TFLOP/s and 4.3 TB/s
# reached, A100: 250 TFLOP/s and 1.6 TB/s
GENEZIP_70M = "2x512 [2x512 [15x768] 2x512] 2x512"
GENEZIP_636M = "2x1024 [2x1024 [40x1536] 2x1024] 2x1024"
FLOORS = {
    ("H200", "genezip", GENEZIP_70M): Floor(47, 26),
    ("H200", "genezip", GENEZIP_636M): Floor(95, 100),
    ("H200", "flat", "23x768"): Floor(298, 249),
    ("A100", "genezip", GENEZIP_70M): Floor(126, 82),
    ("A100", "flat", "23x768"): Floor(801, 785),
}


def floor_of(device: str, role: str, layout: str) -> Floor | None:
    """The floor of a model on a device; None where nobody computed it."""
    for (name, of, its), floor in FLOORS.items():
        if name in device and (of, its) == (role, layout):
            return floor
    return None


def distances(table: pd.DataFrame) -> list[str]:
    """A line for the longest pass of every model on a device with known floors."""
    lines = []
    timed = table.dropna(subset=["median_ms"]).sort_values("length_bp")
    for (role, source), rows in timed.groupby(["role", "input"], sort=False):
        row = rows.iloc[-1]
        floor = floor_of(str(row["device"]), str(role), str(row["layout"]))
        if floor is None:
            continue
        length, took = int(row["length_bp"]), float(row["median_ms"])
        larger, both = floor.larger(length), floor.sum(length)
        lines.append(
            f"{row['model']}, {source}, {length:,} bp, scan by {row['scan']}: {took:,.0f} ms, "
            f"{took / larger:.1f} times the floor of {larger:.0f} ms, {took / both:.1f} times "
            f"{both:.0f} ms without overlap (aim: {AIM:g} times the floor at 1 Mb)"
        )
    return lines
