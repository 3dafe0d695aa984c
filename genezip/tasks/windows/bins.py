"""Equal bins of an input window, as the targets of a task lay them."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Bins:
    """Consecutive bins inside a window.

    Attributes
    ----------
    first_bp : int
        Where bin 0 begins (bp from the start of the window).
    width_bp : int
    count : int
    """

    first_bp: int
    width_bp: int
    count: int

    @property
    def end_bp(self) -> int:
        """Where the last bin ends (bp from the start of the window)."""
        return self.first_bp + self.count * self.width_bp

    def edges(self) -> np.ndarray:
        """Where bins begin, and where the last one ends: int64 array, shape (count + 1,)."""
        return self.first_bp + self.width_bp * np.arange(self.count + 1, dtype=np.int64)


CMP_BP = 1_048_576
"""Input of the contact maps: 512 bins of 2,048 bp (Akita, Fudenberg et al. 2020)."""
CMP_FULL = Bins(65_536, 2_048, 448)
"""Scored bins of a contact map: 32 bins are cropped on each side."""
CMP_AUTHORS = Bins(0, 2_048, 448)
"""The same count laid from the first base, as GeneZip's release does."""
RSAP_STORED_BP = 131_072
"""Bases of a stored interval of regulatory activity (Basenji2, Kelley 2020)."""
RSAP_WIDENED = 32_768
"""Bases that the input adds on each side of it."""
RSAP_BP = RSAP_STORED_BP + 2 * RSAP_WIDENED
RSAP = Bins(RSAP_WIDENED + 8_192, 128, 896)
"""Scored bins of regulatory activity inside the widened input of 196,608 bp."""

assert CMP_FULL.first_bp == 32 * CMP_FULL.width_bp
assert 32 + CMP_FULL.count + 32 == CMP_BP // CMP_FULL.width_bp == 512
assert RSAP.first_bp == 40_960 and RSAP.first_bp + RSAP.end_bp == RSAP_BP == 196_608
