"""The pieces that windows are drawn from, on one long line of positions."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from genezip.corpus.windows import Placement
from genezip.errors import GenezipError
from genezip.genome.assembly import Piece
from genezip.genome.covered import Covered
from genezip.genome.gene_models import Annotation
from genezip.genome.intervals import Intervals, clip

_NOTHING: Intervals = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
_BLOCK = 1 << 20  # starts that are judged at once when all are counted


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
    key : str
        What ``window_bp`` is called in messages: the key of the configuration that sets it.

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
        key: str = "corpus.window_bp",
    ) -> None:
        self.window_bp = window_bp
        self.key = key
        self.pieces = [piece for piece in pieces if piece.length >= window_bp]
        if not self.pieces:
            longest = max((piece.length for piece in pieces), default=0)
            raise GenezipError(
                f"{key} is {window_bp} but the longest of {len(pieces)} pieces to draw "
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

    def legal_starts(self, mode: str, max_n_fraction: float) -> Iterator[np.ndarray]:
        """Every legal window start of a mode, ascending, in blocks of int64 arrays.

        This judges every base of the line: minutes for a whole genome, so it is for the case
        that drawing finds nothing more.
        """
        anchors = {"tss": self.tss, "cds": self.cds}.get(mode)
        quarter = self.window_bp // 4
        total = int(self.lengths.sum())
        for begin in range(0, total, _BLOCK):
            starts = np.arange(begin, min(begin + _BLOCK, total), dtype=np.int64)
            piece = self.piece_of(starts)
            legal = ~np.logical_or.reduce(list(self.faults(starts, piece, max_n_fraction).values()))
            if anchors is not None:
                # the central half, as `candidates` places an anchor in it
                low = starts + quarter
                legal &= anchors.within(low, starts + self.window_bp - quarter) > 0
            yield starts[legal]


def _tss_bases(annotation: Annotation) -> pd.DataFrame:
    tss = annotation.tss()
    return pd.DataFrame(
        {"chrom": tss["chrom"], "start": tss["position"], "end": tss["position"] + 1}
    )


def legal_tiles(tiles: Iterable[Placement], pool: Pool, max_n_fraction: float) -> list[Placement]:
    """Those full tiles of the pool's pieces that the rules for drawn windows allow."""
    index = {piece.name: i for i, piece in enumerate(pool.pieces)}
    kept = [placed for placed in tiles if placed.piece.name in index]
    piece = np.array([index[placed.piece.name] for placed in kept], dtype=np.int64)
    begins = np.array([placed.start - placed.piece.start for placed in kept], dtype=np.int64)
    faults = pool.faults(pool.offsets[piece] + begins, piece, max_n_fraction)
    wrong = np.logical_or.reduce(list(faults.values()))
    return [placed for placed, is_wrong in zip(kept, wrong, strict=True) if not is_wrong]
