"""The same gene models, however a file writes them, give the same region map."""

import random
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genezip.config import Regions
from genezip.genome.gene_models import read_gene_models
from genezip.genome.region_rules import build_region_map

SIZES = {"c": 400, "d": 300}
SMALL = Regions(promoter_half_width=4, nig_distance=40, transcripts="all", required=[])


@dataclass(frozen=True)
class Model:
    """A transcript: exons in order, and the stretch of its exons that codes, if any."""

    gene: str
    name: str
    chrom: str
    strand: str
    exons: tuple[tuple[int, int], ...]
    coding: tuple[int, int] | None

    @property
    def span(self):
        return self.exons[0][0], self.exons[-1][1]

    def cds(self):
        low, high = self.coding or (0, 0)
        found = [(max(a, low), min(b, high)) for a, b in self.exons]
        return [(a, b) for a, b in found if a < b]


@st.composite
def models(draw):
    found = []
    for number in range(draw(st.integers(1, 4))):
        chrom, strand = draw(st.sampled_from("cd")), draw(st.sampled_from("+-"))
        for isoform in range(draw(st.integers(1, 3))):
            n = draw(st.integers(1, 3))
            edges = sorted(
                draw(st.lists(st.integers(0, 290), min_size=2 * n, max_size=2 * n, unique=True))
            )
            exons = tuple(zip(edges[::2], edges[1::2], strict=True))
            coding = None
            if draw(st.booleans()):
                bases = [base for a, b in exons for base in range(a, b)]
                low, high = sorted(draw(st.tuples(*[st.integers(0, len(bases) - 1)] * 2)))
                coding = (bases[low], bases[high] + 1)
            found.append(Model(f"g{number}", f"g{number}.t{isoform}", chrom, strand, exons, coding))
    return found


def rows_of(found, gene_rows=True, transcript_rows=True, name="transcript"):
    """Rows (chrom, feature, start, end, strand, gene, transcript); parts last."""
    rows = []
    if gene_rows:
        for gene in dict.fromkeys(model.gene for model in found):
            mine = [model for model in found if model.gene == gene]
            low, high = min(m.span[0] for m in mine), max(m.span[1] for m in mine)
            rows.append((mine[0].chrom, "gene", low, high, mine[0].strand, gene, ""))
    for model in found:
        ids = (model.strand, model.gene, model.name)
        if transcript_rows:
            rows.append((model.chrom, name, *model.span, *ids))
        rows += [(model.chrom, "exon", a, b, *ids) for a, b in model.exons]
        rows += [(model.chrom, "CDS", a, b, *ids) for a, b in model.cds()]
    return rows


def line(chrom, feature, start, end, strand, attributes):
    return f"{chrom}\ttest\t{feature}\t{start + 1}\t{end}\t.\t{strand}\t.\t{attributes}\n"


def gtf(rows):
    return "".join(
        line(*row[:5], f'gene_id "{row[5]}";' + (f' transcript_id "{row[6]}";' if row[6] else ""))
        for row in rows
    )


def braker(rows):
    """Genes and transcripts with nothing but their id in column 9."""
    return "".join(
        line(*row[:5], row[6] or row[5]) if row[1] in ("gene", "transcript") else gtf([row])
        for row in rows
    )


def gff3(rows):
    text = "##gff-version 3\n"
    for row in rows:
        gene, transcript = row[5:]
        if row[1] == "gene":
            attributes = f"ID={gene}"
        elif row[1] in ("exon", "CDS"):
            attributes = f"Parent={transcript}"
        else:
            attributes = f"ID={transcript};Parent={gene}"
        text += line(*row[:5], attributes)
    return text


def bed12(found):
    text = ""
    for model in found:
        start, end = model.span
        thick = model.coding or (end, end)
        sizes = ",".join(str(b - a) for a, b in model.exons)
        offsets = ",".join(str(a - start) for a, _ in model.exons)
        fields = (model.chrom, start, end, model.name, 0, model.strand, *thick, 0)
        text += "\t".join(map(str, (*fields, len(model.exons), sizes, offsets))) + "\n"
    return text


WAYS = {
    "gtf": lambda found: ("gtf", gtf(rows_of(found))),
    "gtf without gene rows": lambda found: ("gtf", gtf(rows_of(found, gene_rows=False))),
    "gtf without transcript rows": lambda found: ("gtf", gtf(rows_of(found, True, False))),
    "gtf of parts": lambda found: ("gtf", gtf(rows_of(found, False, False))),
    "gtf with mRNA rows": lambda found: ("gtf", gtf(rows_of(found, name="mRNA"))),
    "gtf, every row twice": lambda found: ("gtf", gtf(rows_of(found)) * 2),
    "gtf of a gene finder": lambda found: ("gtf", braker(rows_of(found))),
    "gtf of a gene finder without genes": lambda found: ("gtf", braker(rows_of(found, False))),
    "gff3": lambda found: ("gff3", gff3(rows_of(found))),
    "gff3 with mRNA rows": lambda found: ("gff3", gff3(rows_of(found, name="mRNA"))),
    "gff3 without gene rows": lambda found: ("gff3", gff3(rows_of(found, gene_rows=False))),
    "gff3 without transcript rows": lambda found: ("gff3", gff3(rows_of(found, False, False))),
    "gff3, every row twice": lambda found: ("gff3", gff3(rows_of(found)) * 2),
    "bed12": lambda found: ("bed12", bed12(found)),
}


def mapped(tmp_path, form, text):
    path = tmp_path / "genes"
    path.write_text(text)
    return build_region_map(read_gene_models(path, form, "all"), SIZES, SMALL).table()


def examples(count):
    off = [HealthCheck.function_scoped_fixture]
    return settings(max_examples=count, deadline=None, suppress_health_check=off)


@pytest.mark.parametrize("way", WAYS)
@given(models(), st.randoms(use_true_random=False))
@examples(2)
def test_every_way_to_write_gene_models_gives_one_map(tmp_path, way, found, shuffler):
    check(tmp_path, way, found, shuffler)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@given(models(), st.randoms(use_true_random=False))
@examples(150)
def test_the_same_with_many_more_genes(tmp_path, way, found, shuffler):
    check(tmp_path, way, found, shuffler)


def check(tmp_path, way, found, shuffler):
    expected = mapped(tmp_path, *WAYS["gtf"](found))
    form, text = WAYS[way](found)
    assert mapped(tmp_path, form, text).equals(expected)
    lines = text.splitlines(keepends=True)
    shuffler.shuffle(lines)
    if form == "gff3":
        lines.insert(0, "##gff-version 3\n")
    assert mapped(tmp_path, form, "".join(lines)).equals(expected)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param("gencode.v38.annotation.chr17.gtf.gz", "gtf", marks=pytest.mark.slow),
        ("ensembl91.GRCh38.chr9_1-1000000.gtf.gz", "gtf"),
    ],
)
def test_rows_of_a_real_file_in_any_order(mirror, tmp_path, name, kind):
    import gzip

    with gzip.open(mirror / "annotation" / name, "rt") as handle:
        lines = [line for line in handle if line[0] != "#"]
    plain = tmp_path / "plain"
    plain.write_text("".join(lines))
    random.Random(0).shuffle(lines)
    less = [line for line in lines if line.split("\t")[2] not in ("gene", "transcript")]
    found = []
    for text in ("".join(lines), "".join(less)):
        path = tmp_path / "shuffled"
        path.write_text(text)
        found.append(read_gene_models(path, kind, "basic"))
    expected = read_gene_models(plain, kind, "basic")
    sizes = dict.fromkeys(expected.transcripts["chrom"].unique(), 250000000)
    first, *others = (
        build_region_map(each, sizes, Regions()).table() for each in (expected, *found)
    )
    assert all(first.equals(other) for other in others)
