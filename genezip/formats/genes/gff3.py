"""GFF3, in which rows form a tree by ID and Parent.

The role of a row follows from its position in the tree: a part belongs to its Parent, which is a
transcript whatever its type, unless it is a gene or a protein. The type counts only for rows
without parts (mRNA, tRNA, SRP_RNA, V_gene_segment and dozens more); bacterial files attach CDS
rows to genes. ``docs/annotation.md`` defines which rows are transcripts.
"""

from urllib.parse import unquote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from genezip.errors import GenezipError
from genezip.formats.genes.attributes import Attributes, pairs
from genezip.formats.genes.gff import (
    declared,
    hulls,
    read_features,
    role,
    to_frame,
    whole_numbers,
    without_orphans_inside,
)
from genezip.formats.genes.rows import TAGS, TRANSCRIPT_COLUMNS, Rows, Transcripts, among, lacks_tag
from genezip.formats.lines import Input

PROTEINS = frozenset({
    "protein", "polypeptide", "peptide", "propeptide", "mat_peptide", "mature_peptide",
    "mature_protein_region", "signal_peptide", "sig_peptide", "transit_peptide",
})  # fmt: skip
"""Types of rows for products of a transcript, which are never transcripts."""

_PARTS = ("exon", "cds", "utr")
_OTHER_KEYS = r"(?i)(?:^|;)\s*(?:id|parent|transcript_?id)[ \t]*=[ \t]*[^;\s]"


def read_gff3(given: Input, transcripts: Transcripts = "basic") -> Rows:
    """Rows of a GFF3 file (plain or gzip).

    A transcript is the Parent of exon, CDS or UTR rows, or a row of a transcript type below a gene
    or at the top level; a gene without transcripts is a transcript itself. Parts without a parent
    form transcripts by ID. The type of a gene is its ``gene_type``, ``gene_biotype`` or
    ``biotype``.
    """
    rows = read_features(given, None)
    attributes = Attributes(rows["attributes"], "gff3")
    frame = _frame(rows, attributes, given)
    is_part = frame["role"].isin(_PARTS).to_numpy()
    nodes = _one_role(frame[~is_part])
    tree = _Tree(nodes, frame[is_part])
    parts = _parts(frame[is_part], tree)
    chosen = nodes[tree.transcripts(nodes, set(parts["transcript_id"]))]
    chosen = chosen.assign(transcript_id=chosen["id"], gene_id=tree.genes_of(chosen["id"]))
    genes = nodes[np.array([tree.is_gene(name) for name in nodes["id"]], dtype=bool)]
    genes = genes.assign(transcript_id=genes["id"], gene_id=genes["id"])
    orphan = (parts["transcript_id"] != "") & ~parts["transcript_id"].isin(chosen["id"])
    parts.loc[orphan, "gene_id"] = parts.loc[orphan, "transcript_id"]
    with_id = pd.concat([chosen, parts[parts["transcript_id"] != ""]], ignore_index=True)
    lost = with_id[with_id["gene_id"] == with_id["transcript_id"]]
    alone = ~among(genes["id"], pd.Series(tree.with_transcripts(chosen["id"]), dtype=str))
    alone &= without_orphans_inside(genes, hulls(lost))

    described = _described(genes)
    models, lone = _models(chosen, described), _models(genes[alone], described)
    if transcripts != "all":
        tagged = attributes.any_of("tag", TAGS[transcripts])
        if not tagged.any():
            raise lacks_tag(given, transcripts)
        of_parts = parts[tagged[parts["index"]]]
        ids = pd.concat([nodes.loc[tagged[nodes["index"]], "id"], of_parts["transcript_id"]])
        models = models[among(models["transcript_id"], ids)]
        kept = among(parts["transcript_id"], ids) & (parts["transcript_id"] != "").to_numpy()
        named = pd.concat([ids, of_parts["gene_id"], models["gene_id"]])
        lone = lone[among(lone["gene_id"], pd.concat([ids, of_parts["gene_id"]]))]
        parts = parts[kept | ((parts["transcript_id"] == "") & among(parts["gene_id"], named))]

    owner = parts["transcript_id"].where(parts["transcript_id"] != "", parts["gene_id"])
    spliced = {*nodes.loc[nodes["spliced"], "id"], *owner[parts["spliced"]]}
    return Rows(models, lone, parts, frozenset(spliced), _circular(rows, attributes))


class _Tree:
    """The tree of rows by ID: parents, owners of parts, genes of transcripts."""

    def __init__(self, nodes: pd.DataFrame, parts: pd.DataFrame) -> None:
        self._feature = dict(zip(nodes["id"], nodes["feature"], strict=True))
        self._role = dict(zip(nodes["id"], nodes["role"], strict=True))
        self._parents: dict[str, list[str]] = {}
        self._derives: dict[str, list[str]] = {}
        for key, target in (("parent", self._parents), ("derives", self._derives)):
            some = nodes[nodes[key] != ""]
            for name, listed in zip(some["id"], some[key], strict=True):
                known = target.setdefault(name, [])
                known.extend(n for n in _listed(listed) if n not in known and n != name)
        some = parts[(parts["id"] != "") & (parts["parent"] != "")]
        self._of_parts = dict(zip(some["id"], some["parent"], strict=True))

    def is_gene(self, name: str) -> bool:
        """True for a gene row that is not itself below a gene."""
        above = [self._role.get(parent) for parent in self._parents.get(name, [])]
        return self._role.get(name) == "gene" and "gene" not in above

    def is_product(self, name: str) -> bool:
        """True for a protein, and for any row but a gene that is derived from another row."""
        if self._role.get(name) == "gene":  # TAIR derives genes from transposons
            return False
        return name in self._derives or self._feature.get(name) in PROTEINS

    def owners(self, listed: str) -> list[tuple[str, str]]:
        """Owners of a part with these parents: pairs (transcript, gene), one of the two empty.

        Genes count only if none of the parents is a transcript.
        """
        found: dict[tuple[str, str], None] = {}
        names = _listed(listed)
        for name in names:
            found.update(dict.fromkeys(self._owners(name, set())))
        # the parts of a protein without any other owner form one transcript
        pairs_ = list(found) or [(name, "") for name in names[:1]]
        transcripts = [pair for pair in pairs_ if pair[0]]
        return transcripts or pairs_

    def _owners(self, name: str, seen: set[str]) -> list[tuple[str, str]]:
        if name in seen:
            return []
        seen.add(name)
        if self.is_product(name):
            above = self._derives.get(name, []) + self._parents.get(name, [])
        elif name not in self._role and name in self._of_parts:
            above = _listed(self._of_parts[name])
        else:
            return [("", name)] if self.is_gene(name) else [(name, "")]
        return [pair for parent in above for pair in self._owners(parent, seen)]

    def transcripts(self, nodes: pd.DataFrame, with_parts: set[str]) -> np.ndarray:
        """True for rows that are transcripts."""

        def is_one(name: str, kind: str) -> bool:
            if self.is_product(name) or self.is_gene(name):
                return False
            if name in with_parts:
                return True
            above = [parent for parent in self._parents.get(name, []) if parent in self._role]
            below_gene = not above or any(self.is_gene(parent) for parent in above)
            return kind in ("transcript", "gene") and below_gene

        return np.array(
            [is_one(n, r) for n, r in zip(nodes["id"], nodes["role"], strict=True)], dtype=bool
        )

    def _above(self, name: str) -> list[str]:
        """Genes above a row, nearest first; a parent without a row counts as a gene."""
        found: dict[str, None] = {}
        level, seen = [name], {name}
        while level:
            parents = [above for name in level for above in self._parents.get(name, [])]
            level = []
            for parent in parents:
                if self.is_gene(parent) or parent not in self._role:
                    found[parent] = None
                elif parent not in seen:
                    seen.add(parent)
                    level.append(parent)
        return list(found)

    def genes_of(self, names: pd.Series) -> list[str]:
        """Gene of every transcript; the id of the transcript if it has none."""
        return [min(self._above(name), default=name) for name in names]

    def with_transcripts(self, names: pd.Series) -> list[str]:
        """All genes above these transcripts."""
        return sorted({gene for name in names for gene in self._above(name)})


def _frame(rows: pa.Table, attributes: Attributes, path: Input) -> pd.DataFrame:
    """The rows with ID, Parent and Derives_from; a row without ID is named by its interval."""
    spliced, part = declared(attributes)
    parent = attributes.first("Parent")
    twice = pc.match_substring_regex(rows["attributes"], r"Parent[ \t]*=.*;\s*Parent[ \t]*=")
    frame = to_frame(
        rows,
        feature=rows["feature"],
        id=attributes.first("ID"),
        parent=parent,
        derives=attributes.first("Derives_from"),
        attributes=rows["attributes"],
    )
    for index in np.flatnonzero(np.asarray(twice)):
        found = pairs(frame["attributes"].iloc[index], "gff3")
        listed = ",".join(value for key, value in found if key == "Parent")
        frame.loc[index, "parent"] = listed
    if frame["id"].str.contains("%", regex=False).any():
        frame["id"] = frame["id"].map(unquote)
    roles = {name: role(name) for name in frame["feature"].unique()}
    number = attributes.first("exon_number")
    if attributes.may_have("rank").any():  # Ensembl
        number = pc.if_else(pc.equal(number, ""), attributes.first("rank"), number)
    frame = frame.assign(
        role=frame["feature"].map(roles),
        spliced=spliced,
        part=part,
        number=whole_numbers(number, -1),
        index=np.arange(len(frame)),
    )
    _refuse_other_formats(rows, frame, path)
    nameless = (frame["id"] == "") & ~((frame["parent"] != "") & frame["role"].isin(_PARTS))
    if nameless.any():
        some = frame[nameless]
        interval = some["chrom"] + ":" + some["start"].astype(str) + "-" + some["end"].astype(str)
        kind = some["feature"].where(~some["role"].isin(_PARTS), "part")
        frame.loc[nameless, "id"] = kind + " " + interval + some["strand"]
    return frame


def _refuse_other_formats(rows: pa.Table, frame: pd.DataFrame, path: Input) -> None:
    """Refuse parts whose column 9 is not in GFF3 form, as each would become a transcript."""
    lost = frame["role"].isin(_PARTS) & (frame["id"] == "") & (frame["parent"] == "")
    if not lost.any():
        return
    texts = frame.loc[lost, "attributes"]
    other = ~texts.str.contains("=", regex=False) & (texts.str.strip() != ".")
    for wrong, advice in (
        (other, "if the file is GTF, name that format"),
        (texts.str.contains(_OTHER_KEYS), "in GFF3 these two keys are spelled exactly so"),
    ):
        if wrong.any():
            row = rows.slice(int(wrong.index[wrong][0]), 1).to_pylist()[0]
            raise GenezipError(
                f"line {row['line']} of {path}, column 9 (attributes): the {row['feature']} row "
                f"has neither ID nor Parent, {row['attributes'][:60]!r}; {advice}"
            )


def _one_role(nodes: pd.DataFrame) -> pd.DataFrame:
    """Drop genes that share the ID of a transcript, and other rows that share either's ID."""
    rank = nodes["role"].map({"transcript": 0, "gene": 1, "": 2})
    again = nodes["id"].duplicated(keep=False)
    best = rank[again].groupby(nodes["id"][again]).transform("min")
    return nodes.drop(index=best.index[rank[again] > best])


def _parts(rows: pd.DataFrame, tree: _Tree) -> pd.DataFrame:
    """Exon, CDS and UTR rows, one per owner."""
    codes, texts = pd.factorize(rows["parent"])
    owners = [tree.owners(text) if text else [("", "")] for text in texts]
    count = np.array([len(found) for found in owners], dtype=np.int64)
    copies = count[codes]
    row = np.repeat(np.arange(len(rows)), copies)
    copy = np.arange(len(row)) - np.repeat(np.cumsum(copies) - copies, copies)
    pair_number = (np.cumsum(count) - count)[codes[row]] + copy
    kept = ["chrom", "start", "end", "strand", "number", "part", "spliced", "index"]
    found = rows[[*kept, "role", "id", "parent"]].iloc[row].reset_index(drop=True)
    ids = found["id"].where(found["parent"] == "", "")
    pairs_ = [pair for found_ in owners for pair in found_]
    for number, key in enumerate(("transcript_id", "gene_id")):
        names = np.array([pair[number] for pair in pairs_], dtype=object)
        named = pd.Series(names[pair_number], dtype=ids.dtype)
        found[key] = named.where(found["parent"] != "", ids)
    return found.rename(columns={"role": "kind"}).drop(columns=["id", "parent"])


def _listed(text: str) -> list[str]:
    """Names of a list with commas; commas inside names are escaped as %2C."""
    names = (name.strip() for name in text.split(","))
    return [unquote(name) if "%" in name else name for name in names if name]


def _circular(rows: pa.Table, attributes: Attributes) -> dict[str, int]:
    """Circular contigs and their lengths, from the rows with ``Is_circular=true``."""
    some = attributes.may_have("Is_circular")
    stated = pc.utf8_lower(attributes.where(some).first("Is_circular"))
    found = rows.filter(pa.array(some))
    found = found.filter(pc.and_(pc.equal(stated, "true"), pc.equal(found["start"], 0)))
    lengths: dict[str, int] = {}
    for chrom, end in zip(found["chrom"].to_pylist(), found["end"].to_pylist(), strict=True):
        lengths[chrom] = max(end, lengths.get(chrom, 0))
    return lengths


def _described(genes: pd.DataFrame) -> pd.DataFrame:
    """Name and type of every gene row, by id."""
    attributes = Attributes(pa.chunked_array([pa.array(genes["attributes"], pa.string())]), "gff3")
    table = pd.DataFrame(
        {
            "name": _first_of(attributes, "gene_name", "gene", "Name"),
            "kind": _first_of(attributes, "gene_type", "gene_biotype", "biotype"),
        },
        index=pd.Index(genes["id"]),
    )
    return table[~table.index.duplicated()]


def _models(rows: pd.DataFrame, described: pd.DataFrame) -> pd.DataFrame:
    """Transcript table with name and type of the gene rows."""
    name, kind = (rows["gene_id"].map(described[key].to_dict()) for key in ("name", "kind"))
    name, kind = (column.astype(object).fillna("") for column in (name, kind))
    name = name.where(name != "", rows["gene_id"]).map(unquote)
    return rows.assign(gene_name=name, gene_type=kind)[[*TRANSCRIPT_COLUMNS, "part"]]


def _first_of(attributes: Attributes, *keys: str) -> np.ndarray:
    """Value of the first of several attributes that a row has, else an empty string."""
    found = np.full(len(attributes.column), "", dtype=object)
    for key in reversed(keys):
        value = attributes.first(key).to_numpy(zero_copy_only=False)
        found = np.where(value != "", value, found)
    return found
