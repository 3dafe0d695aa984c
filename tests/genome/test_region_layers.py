"""The built map equals its layers painted base by base."""

import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genezip.config import Regions
from genezip.formats.genes.rows import Rows
from genezip.genome.gene_models import complete
from genezip.genome.intervals import paint_by_priority
from genezip.genome.region_rules import build_region_map, class_layers
from genezip.region_classes import CLASS_IDS

COLUMNS = ["chrom", "start", "end", "strand", "transcript_id", "gene_id", "kind"]
CHROM = {"c": "A" * 60}

spans = st.tuples(st.integers(0, 55), st.integers(1, 25)).map(
    lambda p: (p[0], min(p[0] + p[1], 60))
)
transcripts = st.lists(
    st.tuples(
        spans, st.sampled_from("+-"), st.lists(spans, max_size=3), st.lists(spans, max_size=2)
    ),
    min_size=1,
    max_size=5,
)


promoter_shapes = st.one_of(
    st.integers(1, 8).map(lambda half: {"promoter_half_width": half}),
    st.tuples(st.integers(0, 8), st.integers(1, 8)).map(
        lambda pair: dict(zip(("promoter_upstream", "promoter_downstream"), pair, strict=True))
    ),
)


@given(
    transcripts,
    promoter_shapes,
    st.integers(0, 30),
    st.lists(spans, max_size=4),
    st.sampled_from(["promoter", "cds", "utr", "exon", "intron", "nig", "dig"]),
)
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_map_equals_painting(make_assembly, models, shape, nig_distance, own, before):
    """The built map equals the layers painted base by base, whatever the genes."""
    rows = [
        ("c", a, b, strand, f"t{index}", f"g{index}", kind)
        for index, (span, strand, exons, cds) in enumerate(models)
        for kind, intervals in (("row", [span]), ("exon", exons), ("cds", cds))
        for a, b in intervals
    ]
    table = pd.DataFrame(rows, columns=COLUMNS).assign(part=0)
    whole = table[table["kind"] == "row"].assign(gene_name="", gene_type="").drop(columns="kind")
    parts = table[table["kind"] != "row"].assign(number=-1)
    annotation = complete("x", Rows(whole, whole.iloc[:0], parts))
    extra = {"name": "extra", "bed": "extra.bed", "before": before}
    chosen = Regions(**shape, nig_distance=nig_distance, required=[], classes=[extra])
    given_own = {"extra": pd.DataFrame([("c", *span) for span in own], columns=COLUMNS[:3])}
    assembly = make_assembly(CHROM, [("c", 5, 20, "train"), ("c", 30, 60, "train")])
    region_map = build_region_map({"genes": annotation}, assembly, chosen, given_own)
    priority = list(CLASS_IDS)
    priority.insert(priority.index(before), "extra")
    layers = class_layers(annotation, chosen, given_own)["c"]
    painted = paint_by_priority(layers, 0, 60, fill=7)
    expected = [chosen.region_classes().ids[priority[place]] for place in painted]
    for segment in assembly.segments:
        found = region_map.ids(segment.chrom, segment.start, segment.end)
        assert found.tolist() == expected[segment.start : segment.end]
