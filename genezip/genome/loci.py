"""Split the ids of an annotation that stand for several transcripts.

An id is several transcripts if several transcript rows have it, if its parts lie on several strands
or contigs, or if it has no transcript row and its exon numbers restart; else it is one. If a file
declares trans-splicing, the loci are parts of one transcript: only the first has a promoter, and
the gaps between them are not introns.

Nearly all ids are one transcript. Column operations find the candidates for more than one, and
only these are examined one by one.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from genezip.formats.genes.rows import free_name

UNKNOWN_STRAND = "."
_SAME_EXON_BP = 2  # largest gap between rows of one exon that a frameshift splits


@dataclass(frozen=True)
class Loci:
    """Transcripts and parts, each transcript with a unique id."""

    transcripts: pd.DataFrame  # one row per transcript; strand + or -
    parts: pd.DataFrame  # exon, CDS and UTR rows with the ids of ``transcripts``
    # ids of later parts of trans-spliced transcripts, which have no TSS
    continuations: frozenset[str]


@dataclass
class _Locus:
    """One locus of an id: its row, or the span of its parts, and the indices of its parts."""

    chrom: str
    strand: str
    start: int
    end: int
    row: int  # index in the transcript table, -1 without a row
    members: np.ndarray  # indices in the table of parts
    first: tuple[int, ...]  # sort key of the loci


def split_loci(
    transcripts: pd.DataFrame, parts: pd.DataFrame, spliced: Collection[str] = frozenset()
) -> Loci:
    """Give every transcript a unique id and a row.

    Parameters
    ----------
    transcripts : chrom, start, end, strand (``.`` where unknown), transcript_id, gene_id,
        gene_name, gene_type, part (number of a trans-spliced part, 0 for none). Ids may repeat.
    parts : chrom, start, end, strand, transcript_id, gene_id, kind (exon, cds, utr), number (of the
        exon, -1 for none), part
    spliced : transcript or gene ids whose trans-splicing the file declares

    Returns
    -------
    Loci
        A transcript without a row spans its parts. Further loci of an id are named ``<id>_dup1``,
        ..., and parts of a trans-spliced transcript ``<id>_part2``, ...
    """
    transcripts = transcripts.drop_duplicates(
        ["transcript_id", "chrom", "start", "end", "strand"], ignore_index=True
    )
    parts = parts.reset_index(drop=True)
    n_rows = len(transcripts)
    both = pd.concat([transcripts["transcript_id"], parts["transcript_id"]], ignore_index=True)
    codes, ids = pd.factorize(both)
    row_code, part_code = codes[:n_rows], codes[n_rows:]
    odd = _odd_ids(transcripts, parts, row_code, part_code, len(ids))
    if spliced:
        named = set(spliced)
        odd |= np.isin(np.arange(len(ids)), row_code[transcripts["gene_id"].isin(named)])
        odd |= np.isin(np.arange(len(ids)), part_code[parts["gene_id"].isin(named)])
        odd |= pd.Series(ids).isin(named).to_numpy()
    # the strand of an id that is one transcript: that of its row, else of its parts, else +
    strands = np.full(len(ids), "+", dtype=object)
    for id_codes, rows_or_parts in ((part_code, parts), (row_code, transcripts)):
        strand = rows_or_parts["strand"].to_numpy(dtype=object)
        known = strand != UNKNOWN_STRAND
        strands[id_codes[known]] = strand[known]
    plain_rows = transcripts.assign(strand=strands[row_code])[~odd[row_code]]
    settled = strands[part_code]
    has_row = np.zeros(len(ids), dtype=bool)
    has_row[row_code] = True
    orphans = parts.assign(strand=settled)[~odd[part_code] & ~has_row[part_code]]
    found = [plain_rows, _spans(orphans)]
    continuations: set[str] = set()
    if odd.any():
        renamed = parts["transcript_id"].to_numpy(dtype=object).copy()
        taken = set(ids)
        rows_of, parts_of = _members(row_code, odd), _members(part_code, odd)
        none = np.zeros(0, dtype=np.int64)
        for code in np.flatnonzero(odd).tolist():
            rows, members = rows_of.get(code, none), parts_of.get(code, none)
            genes = [*transcripts["gene_id"].iloc[rows], *parts["gene_id"].iloc[members]]
            declared = ids[code] in spliced or genes[0] in spliced
            loci = _loci(transcripts, parts, rows, members, declared)
            name = str(ids[code])
            suffix, first = ("_part", 2) if declared else ("_dup", 1)
            more = (free_name(name, suffix, first + k, taken) for k in range(len(loci) - 1))
            names = [name, *more]
            if declared:
                continuations.update(names[1:])
            for name, locus in zip(names, loci, strict=True):
                renamed[locus.members] = name
                settled[locus.members] = locus.strand
            found.append(_rows_of(transcripts, parts, loci, names))
        kind = parts["transcript_id"].dtype
        parts = parts.assign(transcript_id=pd.Series(renamed, index=parts.index).astype(kind))
    table = pd.concat([frame for frame in found if len(frame)] or found, ignore_index=True)
    return Loci(table, parts.assign(strand=settled), frozenset(continuations))


def _members(codes: np.ndarray, wanted: np.ndarray) -> dict[int, np.ndarray]:
    """Row indices of each wanted id."""
    index = np.flatnonzero(wanted[codes])
    order = index[np.argsort(codes[index], kind="stable")]
    values, first = np.unique(codes[order], return_index=True)
    groups = np.split(order, first[1:]) if len(values) else []
    return dict(zip(values.tolist(), groups, strict=True))


def _odd_ids(
    transcripts: pd.DataFrame,
    parts: pd.DataFrame,
    row_code: np.ndarray,
    part_code: np.ndarray,
    n: int,
) -> np.ndarray:
    """True for ids that may be several transcripts."""
    rows = np.bincount(row_code, minlength=n)
    odd = rows > 1
    chrom = pd.factorize(pd.concat([transcripts["chrom"], parts["chrom"]], ignore_index=True))[0]
    odd |= _differ(np.concatenate([row_code, part_code]), chrom, n)
    strand = pd.factorize(parts["strand"].where(parts["strand"] != UNKNOWN_STRAND))[0]
    known = strand >= 0
    odd |= _differ(part_code[known], strand[known], n)
    # exon numbers count only for ids without a row, and those of CDS rows only without exons
    is_exon = (parts["kind"] == "exon").to_numpy()
    exons = np.bincount(part_code[is_exon], minlength=n)
    asked = (rows[part_code] == 0) & (parts["number"].to_numpy() >= 0)
    asked &= np.where(exons[part_code] > 0, is_exon, (parts["kind"] == "cds").to_numpy())
    numbered = parts.loc[asked, ["number", "start", "end"]].assign(code=part_code[asked])
    numbered = numbered.drop_duplicates()
    odd[numbered.loc[numbered.duplicated(["code", "number"]), "code"].to_numpy()] = True
    return odd


def _differ(code: np.ndarray, value: np.ndarray, n: int) -> np.ndarray:
    """True for codes with more than one value."""
    first = np.full(n, -1, dtype=np.int64)
    first[code[::-1]] = value[::-1]
    odd = np.zeros(n, dtype=bool)
    odd[code[value != first[code]]] = True
    return odd


def _loci(
    transcripts: pd.DataFrame,
    parts: pd.DataFrame,
    rows: np.ndarray,
    members: np.ndarray,
    declared: bool,
) -> list[_Locus]:
    """The loci of one id in order."""
    id_rows = transcripts.iloc[rows]
    id_rows = id_rows[~id_rows.duplicated(["chrom", "start", "end", "strand"])]
    table = parts.iloc[members]
    sides = _sides(id_rows, table)
    groups: dict[tuple, list[int]] = {}
    if len(id_rows) > 1:
        for number, key in zip(members, _by_row(id_rows, table, sides), strict=True):
            groups.setdefault(key, []).append(number)
        for row in id_rows.index:
            groups.setdefault(("row", row), [])
    elif declared and (table["part"] > 0).any():
        for number, part in zip(members, table["part"], strict=True):
            groups.setdefault(("part", int(part)), []).append(number)
    else:
        for number, side in zip(members, sides, strict=True):
            groups.setdefault(("side", *side), []).append(number)
        if not len(id_rows):
            groups = {
                (*key, copy): found.tolist()
                for key, numbers in groups.items()
                for copy, found in enumerate(_copies(parts, np.array(numbers)))
            }
    side_of = dict(zip(members, sides, strict=True))
    loci = []
    for key, numbers in groups.items():
        found = np.array(numbers, dtype=np.int64)
        row = key[1] if key[0] == "row" else _row_for(id_rows, found, parts, side_of, len(groups))
        loci.append(_locus(transcripts, parts, id_rows, row, found, side_of))
    used = {locus.row for locus in loci}
    lone = [row for row in id_rows.index if row not in used]
    if len(id_rows) == 1 and lone and not any(_contains(id_rows.iloc[0], lo) for lo in loci):
        none = np.zeros(0, dtype=np.int64)
        loci.append(_locus(transcripts, parts, id_rows, lone[0], none, side_of))
    return sorted(loci, key=lambda locus: locus.first)


def _sides(id_rows: pd.DataFrame, table: pd.DataFrame) -> list[tuple[str, str]]:
    """Contig and strand of every part; an unknown strand is taken from other parts there."""
    known: dict[str, set[str]] = {}
    for chrom, strand in zip(table["chrom"], table["strand"], strict=True):
        known.setdefault(chrom, set()).add(strand)
    for chrom, strand in zip(id_rows["chrom"], id_rows["strand"], strict=True):
        if not known.get(chrom, set()) - {UNKNOWN_STRAND}:
            known.setdefault(chrom, set()).add(strand)
    only = {}
    for chrom, strands in known.items():
        strands.discard(UNKNOWN_STRAND)
        only[chrom] = strands.pop() if len(strands) == 1 else "+"
    return [
        (chrom, only[chrom] if strand == UNKNOWN_STRAND else strand)
        for chrom, strand in zip(table["chrom"], table["strand"], strict=True)
    ]


def _by_row(
    id_rows: pd.DataFrame, table: pd.DataFrame, sides: Sequence[tuple[str, str]]
) -> list[tuple]:
    """Row of every part: the one it overlaps most, the shortest of equals; else its side."""
    columns = (id_rows[key] for key in ("strand", "start", "end"))
    rows: dict[str, list[tuple]] = {}
    for chrom, row, *rest in zip(id_rows["chrom"], id_rows.index, *columns, strict=True):
        rows.setdefault(chrom, []).append((row, *rest))
    found: list[tuple] = []
    for (chrom, strand), start, end in zip(sides, table["start"], table["end"], strict=True):
        best = max(
            (
                (min(end, row_end) - max(start, row_start), row_start - row_end, -row)
                for row, row_strand, row_start, row_end in rows.get(chrom, ())
                if row_strand in (strand, UNKNOWN_STRAND)
            ),
            default=(0, 0, 0),
        )
        found.append(("row", -best[2]) if best[0] > 0 else ("side", chrom, strand))
    return found


def _copies(parts: pd.DataFrame, numbers: np.ndarray) -> list[np.ndarray]:
    """Parts on one strand of one contig, split where exon numbers restart."""
    table = parts.iloc[numbers]
    is_exon = (table["kind"] == "exon").to_numpy()
    if not is_exon.any():
        is_exon = (table["kind"] == "cds").to_numpy()
    asked = table[is_exon & (table["number"] >= 0).to_numpy()]
    asked = asked.drop_duplicates(["start", "end"]).sort_values(["start", "end"])
    if not asked["number"].duplicated().any():
        return [numbers]
    minus = table["strand"].iloc[0] == "-"
    # NCBI uses one id, unknown_transcript_1, for all transcripts without an id
    cut = [
        (str(gene), run)
        for gene, rows in asked.groupby("gene_id", sort=False, observed=True)
        for run in _cut(list(rows.itertuples()), minus)
    ]
    hulls = [
        (gene, min(row.start for row in run), max(row.end for row in run)) for gene, run in cut
    ]
    of_gene: dict[str, list[int]] = {}
    for k, (gene, *_) in enumerate(hulls):
        of_gene.setdefault(gene, []).append(k)
    owner = [
        min(
            of_gene.get(gene) or range(len(hulls)),
            key=lambda k: (_gap(hulls[k][1:], start, end), hulls[k][1:]),
        )
        for gene, start, end in zip(table["gene_id"], table["start"], table["end"], strict=True)
    ]
    return [numbers[np.array(owner) == k] for k in sorted(set(owner))]


def _cut(rows: list, minus: bool) -> list[list]:
    """Rows of one gene, split where their exon numbers restart.

    Numbers ascend along the strand (Ensembl, NCBI) or along the contig (some assemblers).
    """
    both = [_ascending(rows), _ascending(rows[::-1])]
    return min(both[::-1] if minus else both, key=len)


def _ascending(run: list) -> list[list]:
    cut: list[list] = []
    for row in run:
        last = cut[-1][-1] if cut else None
        same = last is not None and row.number == last.number
        touches = last is not None and _gap((last.start, last.end), row.start, row.end)
        if last is not None and (row.number > last.number or (same and touches <= _SAME_EXON_BP)):
            cut[-1].append(row)
        else:
            cut.append([row])
    return cut


def _gap(hull: tuple[int, int], start: int, end: int) -> int:
    """Bases between two intervals; 0 if they overlap or touch."""
    return max(start - hull[1], hull[0] - end, 0)


def _row_for(
    id_rows: pd.DataFrame, found: np.ndarray, parts: pd.DataFrame, side_of: dict, groups: int
) -> int:
    """Index of the only row of an id, if it describes this group of parts; else -1."""
    if len(id_rows) != 1:
        return -1
    chrom, strand = side_of[found[0]]
    row = id_rows.iloc[0]
    if row["chrom"] != chrom:
        return -1
    if groups == 1:
        return int(id_rows.index[0])
    if row["strand"] not in (strand, UNKNOWN_STRAND):
        return -1
    # a row that spans all loci does not describe this one
    others = [number for number in side_of if number not in set(found)]
    around = any(
        side_of[number][0] == chrom
        and row["start"] <= parts["start"].iloc[number]
        and parts["end"].iloc[number] <= row["end"]
        for number in others
    )
    return -1 if around else int(id_rows.index[0])


def _contains(row: pd.Series, locus: _Locus) -> bool:
    inside = row["start"] <= locus.start and locus.end <= row["end"]
    return bool(locus.chrom == row["chrom"] and inside)


def _locus(
    transcripts: pd.DataFrame,
    parts: pd.DataFrame,
    id_rows: pd.DataFrame,
    row: int,
    found: np.ndarray,
    side_of: dict,
) -> _Locus:
    late = np.iinfo(np.int64).max
    numbers, part_numbers = (parts[key].to_numpy()[found] for key in ("number", "part"))
    number = int(numbers[numbers >= 0].min(initial=late))
    part = int(part_numbers[part_numbers > 0].min(initial=late))
    if row >= 0:
        mine = transcripts.iloc[row]
        chrom, strand = mine["chrom"], mine["strand"]
        if strand == UNKNOWN_STRAND:
            strand = side_of[found[0]][1] if len(found) else "+"
        start, end = int(mine["start"]), int(mine["end"])
        part = int(mine["part"]) or part
    else:
        chrom, strand = side_of[found[0]]
        start = int(parts["start"].to_numpy()[found].min())
        end = int(parts["end"].to_numpy()[found].max())
    # a row that spans all loci has the contig and strand of the first
    like_row = row >= 0 or ((id_rows["chrom"] == chrom) & (id_rows["strand"] == strand)).any()
    first = (part, number, 0 if like_row else 1, int(found[0]) if len(found) else late, start)
    return _Locus(chrom, strand, start, end, row, found, first)


def _rows_of(
    transcripts: pd.DataFrame, parts: pd.DataFrame, loci: list[_Locus], names: list[str]
) -> pd.DataFrame:
    """Transcript rows of the loci of one id; a locus without a row copies facts of another."""
    known = next((locus.row for locus in loci if locus.row >= 0), -1)
    rows = []
    for locus, name in zip(loci, names, strict=True):
        row = locus.row if locus.row >= 0 else known
        if row >= 0:
            facts = transcripts.iloc[row].to_dict()
        else:
            gene = parts["gene_id"].iloc[locus.members[0]]
            facts = {"gene_id": gene, "gene_name": gene, "gene_type": "", "part": 0}
        rows.append(
            {
                **facts,
                "chrom": locus.chrom,
                "start": locus.start,
                "end": locus.end,
                "strand": locus.strand,
                "transcript_id": name,
            }
        )
    return pd.DataFrame(rows, columns=transcripts.columns)


def _spans(parts: pd.DataFrame) -> pd.DataFrame:
    """One transcript per transcript_id that spans its parts."""
    grouped = parts.groupby("transcript_id", sort=False, as_index=False)
    spans = grouped.agg(
        chrom=("chrom", "first"),
        start=("start", "min"),
        end=("end", "max"),
        strand=("strand", "first"),
        gene_id=("gene_id", "first"),
    )
    return spans.assign(gene_name=spans["gene_id"], gene_type="", part=0)
