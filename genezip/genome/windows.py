"""Windows: tiling a piece, and drawing random windows in three modes.

The training corpus mixes windows placed uniformly with windows around transcription start
sites and coding bases (GeneZip section 4.1), because promoters are a few percent of the genome
and a model that hardly sees them cannot learn to treat them differently.
"""

import gzip
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from genezip.errors import GenezipError
from genezip.genome.annotation import Annotation
from genezip.genome.assembly import Piece
from genezip.genome.covered import Covered
from genezip.genome.intervals import Intervals, clip

MODES = ("uniform", "tss", "cds")
"""Choices of window centre; a tiled window has the mode ``tile``."""

_FRUITLESS_ROUNDS = 100  # rounds of candidates without one accepted before giving up
_ROUND = 256  # fewest candidates in a round
_NOTHING: Intervals = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))


@dataclass(frozen=True)
class Placement:
    """Where a window lies: [start, end) of a piece, and how it was chosen."""

    piece: Piece
    start: int
    end: int
    mode: str


def tile(piece: Piece, window_bp: int, keep_short: bool = False) -> list[Placement]:
    """Windows side by side from the start of a piece.

    The remainder at the end is a short window if ``keep_short``, else it is left out.
    """
    starts = range(piece.start, piece.end, window_bp)
    placed = [
        Placement(piece, start, min(start + window_bp, piece.end), "tile") for start in starts
    ]
    if not keep_short and placed and placed[-1].end - placed[-1].start < window_bp:
        placed.pop()
    return placed


def read_intervals(path: str | Path, chrom_sizes: Mapping[str, int]) -> pd.DataFrame:
    """Intervals of a BED file (plain or gz): chrom, start, end.

    Raises
    ------
    GenezipError
        If the file is missing or broken, or shares no contig with the assembly (an exclusion
        that silently excludes nothing would be a leak).
    """
    rows = []
    try:
        with gzip.open(path, "rt") if str(path).endswith(".gz") else open(path) as handle:
            for number, line in enumerate(handle, 1):
                if not line.strip() or line.startswith(("#", "track", "browser")):
                    continue
                cells = line.split()
                try:
                    rows.append((cells[0], int(cells[1]), int(cells[2])))
                except (IndexError, ValueError):
                    raise GenezipError(
                        f"{path} line {number} is no BED interval; "
                        "it needs chrom, start and end with whole numbers"
                    ) from None
    except FileNotFoundError:
        raise GenezipError(f"{path} does not exist; correct corpus.exclude") from None
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise GenezipError(f"{path} cannot be read ({error}); fetch it again") from None
    frame = pd.DataFrame(rows, columns=["chrom", "start", "end"])
    if len(frame) and not frame["chrom"].isin(list(chrom_sizes)).any():
        raise GenezipError(
            f"{path} and the assembly have no contig in common ({frame['chrom'].iloc[0]!r} against "
            f"{next(iter(chrom_sizes))!r}); rename its contigs"
        )
    return frame


def by_chrom(frame: pd.DataFrame) -> dict[str, Intervals]:
    """Starts and ends of the rows of each chromosome."""
    return {
        str(chrom): (rows["start"].to_numpy(np.int64), rows["end"].to_numpy(np.int64))
        for chrom, rows in frame.groupby("chrom", observed=True)
    }


class Pool:
    """The pieces that windows are drawn from, laid end to end.

    On that one line, N, excluded intervals, TSS and coding bases of all pieces are plain sorted
    arrays, so thousands of candidates are drawn and judged at once.

    Parameters
    ----------
    pieces : pieces to draw from
        Those shorter than the window are left out.
    window_bp : int
        Length of a window.
    annotations : by set name
        Each piece takes TSS and CDS from its own set.
    n_runs : by piece name
        Runs of N, (starts, ends) in genome coordinates.
    excluded : DataFrame chrom, start, end
        Intervals that no window may touch.

    Raises
    ------
    GenezipError
        If the window is longer than every piece.
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        window_bp: int,
        annotations: Mapping[str, Annotation],
        n_runs: Mapping[str, Intervals],
        excluded: pd.DataFrame,
    ) -> None:
        self.window_bp = window_bp
        self.pieces = [piece for piece in pieces if piece.length >= window_bp]
        if not self.pieces:
            longest = max((piece.length for piece in pieces), default=0)
            raise GenezipError(
                f"corpus.window_bp is {window_bp} but the longest of {len(pieces)} pieces to draw "
                f"from has {longest} bp; choose a shorter window"
            )
        self.lengths = np.array([piece.length for piece in self.pieces], dtype=np.int64)
        self.offsets = np.concatenate([[0], np.cumsum(self.lengths)[:-1]])
        chromosomes = by_chrom(excluded)
        self.n = self._line(lambda piece: n_runs[piece.name])
        self.excluded = self._line(lambda piece: chromosomes.get(piece.chrom, _NOTHING))
        sets = {piece.annotation: annotations[piece.annotation] for piece in self.pieces}
        tss = {name: by_chrom(_tss_bases(annotation)) for name, annotation in sets.items()}
        cds = {name: by_chrom(annotation.cds) for name, annotation in sets.items()}
        self.tss = self._line(lambda piece: tss[piece.annotation].get(piece.chrom, _NOTHING))
        self.cds = self._line(lambda piece: cds[piece.annotation].get(piece.chrom, _NOTHING))

    def _line(self, of_piece: Callable[[Piece], Intervals]) -> Covered:
        """Intervals in genome coordinates, clipped to each piece and moved onto the line."""
        starts, ends = [_NOTHING[0]], [_NOTHING[1]]
        for piece, offset in zip(self.pieces, self.offsets, strict=True):
            inside = clip(*of_piece(piece), piece.start, piece.end)
            starts.append(inside[0] - piece.start + offset)
            ends.append(inside[1] - piece.start + offset)
        return Covered(np.concatenate(starts), np.concatenate(ends))

    def piece_of(self, positions: np.ndarray) -> np.ndarray:
        """Index of the piece of each position on the line (int64)."""
        return np.searchsorted(self.offsets, positions, side="right") - 1

    def candidates(
        self, mode: str, count: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Window starts on the line, before any is rejected, and their pieces' indices.

        ``uniform``: every start that fits a piece is equally likely. ``tss`` and ``cds``: a
        distinct TSS position, or coding base, is drawn and put uniformly in the central half
        of the window.
        """
        if mode == "uniform":
            choices = np.cumsum(self.lengths - self.window_bp + 1)
            rank = rng.integers(choices[-1], size=count)
            piece = np.searchsorted(choices, rank, side="right")
            first = np.concatenate([[0], choices[:-1]])[piece]
            return self.offsets[piece] + rank - first, piece
        anchors = self.tss if mode == "tss" else self.cds
        position = anchors.base(rng.integers(anchors.bp, size=count))
        quarter = self.window_bp // 4
        return (
            position - rng.integers(quarter, self.window_bp - quarter, size=count),
            self.piece_of(position),
        )

    def faults(
        self, starts: np.ndarray, piece: np.ndarray, max_n_fraction: float
    ) -> dict[str, np.ndarray]:
        """Why candidates are rejected: a bool array per cause, each candidate in at most one."""
        ends = starts + self.window_bp
        crosses = (starts < self.offsets[piece]) | (
            ends > self.offsets[piece] + self.lengths[piece]
        )
        rich = self.n.within(starts, ends) > max_n_fraction * self.window_bp
        touched = self.excluded.within(starts, ends) > 0
        return {
            "cross the end of a piece": crosses,
            f"hold more than {max_n_fraction:.3g} of N": rich & ~crosses,
            "overlap an excluded interval": touched & ~rich & ~crosses,
        }


def _tss_bases(annotation: Annotation) -> pd.DataFrame:
    tss = annotation.tss()
    return pd.DataFrame(
        {"chrom": tss["chrom"], "start": tss["position"], "end": tss["position"] + 1}
    )


def sample(
    pool: Pool,
    count: int,
    weights: Mapping[str, float],
    max_n_fraction: float,
    rng: np.random.Generator,
) -> list[Placement]:
    """Draw windows in random order; each draws its mode, then its place until one is legal.

    Parameters
    ----------
    pool : Pool
    count : int
        Number of windows.
    weights : share of each of :data:`MODES`, summing to 1
    max_n_fraction : float
        Windows with a larger share of N are redrawn.
    rng : numpy Generator
        Decides everything: equal state, equal windows.

    Raises
    ------
    GenezipError
        If a mode has no anchor, or only candidates that are rejected (with the causes counted).
    """
    modes = rng.choice(len(MODES), size=count, p=[weights[name] for name in MODES])
    starts = np.zeros(count, dtype=np.int64)
    for index, mode in enumerate(MODES):
        slots = np.flatnonzero(modes == index)
        if slots.size:
            starts[slots] = _draw(pool, mode, slots.size, max_n_fraction, rng)
    piece = pool.piece_of(starts)
    begins = starts - pool.offsets[piece]
    return [
        Placement(chosen, chosen.start + begin, chosen.start + begin + pool.window_bp, MODES[mode])
        for chosen, begin, mode in zip(
            (pool.pieces[i] for i in piece), begins.tolist(), modes.tolist(), strict=True
        )
    ]


def _draw(
    pool: Pool, mode: str, count: int, max_n_fraction: float, rng: np.random.Generator
) -> np.ndarray:
    """Legal window starts on the line, int64 array of shape (count,)."""
    anchors = {"tss": pool.tss, "cds": pool.cds}.get(mode)
    if anchors is not None and not anchors.bp:
        raise GenezipError(
            f"the corpus is left with no window: no {mode.upper()} lies in the pieces to draw "
            f"from; set corpus.sampling.{mode} to 0 or choose other chromosomes"
        )
    drawn: list[np.ndarray] = []
    missing, tried, fruitless = count, 0, 0
    rejected: dict[str, int] = {}
    while missing:
        starts, piece = pool.candidates(mode, max(missing, _ROUND), rng)
        faults = pool.faults(starts, piece, max_n_fraction)
        legal = starts[~np.logical_or.reduce(list(faults.values()))][:missing]
        drawn.append(legal)
        missing -= len(legal)
        tried += len(starts)
        for cause, mask in faults.items():
            rejected[cause] = rejected.get(cause, 0) + int(mask.sum())
        fruitless = 0 if len(legal) else fruitless + 1
        if fruitless == _FRUITLESS_ROUNDS:
            causes = ", ".join(f"{number} {cause}" for cause, number in rejected.items())
            raise GenezipError(
                f"the corpus is left with no window: of {tried} candidates of the mode {mode} "
                f"{causes}; choose a shorter corpus.window_bp, a larger corpus.max_n_fraction "
                "or fewer intervals in corpus.exclude"
            )
    return np.concatenate(drawn)


def legal_tiles(tiles: Iterable[Placement], pool: Pool, max_n_fraction: float) -> list[Placement]:
    """Those full tiles of the pool's pieces that the rules for drawn windows allow."""
    index = {piece.name: i for i, piece in enumerate(pool.pieces)}
    kept = [placed for placed in tiles if placed.piece.name in index]
    piece = np.array([index[placed.piece.name] for placed in kept], dtype=np.int64)
    begins = np.array([placed.start - placed.piece.start for placed in kept], dtype=np.int64)
    faults = pool.faults(pool.offsets[piece] + begins, piece, max_n_fraction)
    wrong = np.logical_or.reduce(list(faults.values()))
    return [placed for placed, is_wrong in zip(kept, wrong, strict=True) if not is_wrong]
