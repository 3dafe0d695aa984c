"""The search trees of a bigWig file: chromosome names (B+ tree) and sections (R-tree).

Both are written root first, level by level, with nodes of one padded size per kind, so where
a child lies follows from its number. Kent et al. 2010 (Bioinformatics 26:2204).
"""

import struct
from collections.abc import Callable, Mapping
from typing import IO

import numpy as np

_CHROM_MAGIC, _INDEX_MAGIC = 0x78CA8C91, 0x2468ACE0
_FANOUT = 256  # children per node

_NODE = np.dtype([(n, "<u4") for n in ("chrom", "start", "chrom_end", "end")] + [("at", "<u8")])
_LEAF = np.dtype([*_NODE.descr, ("size", "<u8")])


def write_index(file: IO[bytes], sections: np.ndarray, items: int) -> None:
    """Write the R-tree over sections, at the end of the file.

    Parameters
    ----------
    sections : uint64 array, shape (N, 5)
        Chromosome number, start, end, offset in the file and bytes of every section, in the
        order of chromosome and start.
    items : most items in a section
    """
    leaves = np.zeros(len(sections), dtype=_LEAF)
    for name, column in zip(_LEAF.names or (), (0, 1, 0, 2, 3, 4), strict=True):
        leaves[name] = sections[:, column]
    bounds = (0, 0, 0, 0)
    if len(leaves):
        first, last = leaves[0], leaves[-1]
        bounds = (first["chrom"], first["start"], last["chrom"], last["end"])
    start = (_INDEX_MAGIC, _FANOUT, len(leaves))
    file.write(struct.pack("<IIQIIIIQII", *start, *bounds, file.tell(), items, 0))
    _write_tree(file, leaves, _cover)


def _cover(below: np.ndarray, firsts: np.ndarray) -> np.ndarray:
    """What each node spans, from its first and last child."""
    lasts = np.append(firsts[1:], len(below)) - 1
    nodes = np.zeros(len(firsts), dtype=_NODE)
    nodes["chrom"], nodes["start"] = below["chrom"][firsts], below["start"][firsts]
    nodes["chrom_end"], nodes["end"] = below["chrom_end"][lasts], below["end"][lasts]
    return nodes


def write_chroms(file: IO[bytes], sizes: Mapping[str, int]) -> None:
    """Write the B+ tree of chromosomes; their numbers are those of the order of ``sizes``."""
    names = [name.encode() for name in sizes]
    width = max(map(len, names), default=1)
    leaf = np.dtype([("name", f"S{width}"), ("number", "<u4"), ("size", "<u4")])
    items = np.array(list(zip(names, range(len(names)), sizes.values(), strict=True)), dtype=leaf)
    file.write(struct.pack("<IIIIQQ", _CHROM_MAGIC, _FANOUT, width, 8, len(items), 0))

    def first_names(below: np.ndarray, firsts: np.ndarray) -> np.ndarray:
        nodes = np.zeros(len(firsts), dtype=[("name", f"S{width}"), ("at", "<u8")])
        nodes["name"] = below["name"][firsts]
        return nodes

    _write_tree(file, np.sort(items, order="name"), first_names)


def _write_tree(
    file: IO[bytes],
    leaves: np.ndarray,
    parents: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> None:
    """Write a tree from its leaf items; ``parents`` makes the items of the level above."""
    levels = [leaves]
    while len(levels[-1]) > _FANOUT:
        below = levels[-1]
        levels.append(parents(below, np.arange(0, len(below), _FANOUT)))
    at = file.tell()
    for depth in reversed(range(len(levels))):
        items = levels[depth]
        nodes = max(1, -(-len(items) // _FANOUT))
        size = _node_bytes(items)
        at += nodes * size  # where the level below begins
        if depth:
            items["at"] = at + _node_bytes(levels[depth - 1]) * np.arange(len(items))
        for first in range(0, nodes * _FANOUT, _FANOUT):
            node = items[first : first + _FANOUT]
            data = struct.pack("<BBH", depth == 0, 0, len(node)) + node.tobytes()
            file.write(data.ljust(size, b"\0"))


def _node_bytes(items: np.ndarray) -> int:
    return 4 + _FANOUT * items.dtype.itemsize
