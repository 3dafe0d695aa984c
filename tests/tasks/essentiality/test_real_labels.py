"""The Keio labels of E. coli join to its genes, and gene length ranks them as was counted."""

import gzip
import json
from pathlib import Path

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from toolkit.command_line import succeed

from genezip.config import Essentiality
from genezip.tasks import TASKS
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.essentiality.labels import join_labels, read_labels
from genezip.tasks.essentiality.task import label_file

# essential genes, and AUROC of the length of the gene, of the tables' README
KNOWN = {
    "ecoli": (4288, 296, 0.538),
    "bsubtilis": (4011, 247, 0.569),
    "mgenitalium": (476, 335, 0.461),
    "mtuberculosis": (4030, 597, 0.624),
}
GENOME = "ecoli_K12_MG1655.GCF_000005845.2.genomic"


@pytest.fixture(scope="module")
def files(mirror: Path) -> TaskFiles:
    paths = tuple(sorted((mirror / "other_systems" / "essential").glob("*.tsv.gz")))
    return TaskFiles(Path("files.json"), paths, {})


@pytest.mark.parametrize("organism", KNOWN)
def test_tables_of_labels(files: TaskFiles, organism: str) -> None:
    path = label_file(files, organism, Essentiality())
    table = read_labels(path)
    places = pd.read_csv(path, sep="\t")
    length = places["end"] - places["start0"]
    area = roc_auc_score(table["essential"], length)
    genes, essential, known = KNOWN[organism]
    assert (len(table), table["essential"].sum()) == (genes, essential)
    assert area == pytest.approx(known, abs=5e-4)


@pytest.mark.slow
def test_keio_labels_join_the_genes_of_ecoli(
    files: TaskFiles, mirror: Path, tmp_path: Path
) -> None:
    """All 4,288 labelled genes exist; those that are read in frame rank as all of them do."""
    for suffix in ("fna", "gff"):
        packed = mirror / "other_systems" / f"{GENOME}.{suffix}.gz"
        (tmp_path / f"genome.{suffix}").write_bytes(gzip.decompress(packed.read_bytes()))
    settings = {
        "sources": ["files"], "build": "ASM584v2", "fasta": "genome.fna",
        "annotation": "genome.gff", "chromosomes": None, "selection": "full",
        "valid": ["NC_000913.3:3,400,000-3,800,000"], "test": ["NC_000913.3:3,800,000-4,641,652"],
    }  # fmt: skip
    out = tmp_path / "source"
    arguments = ["--settings", json.dumps(settings), "--root", str(tmp_path), "--out", str(out)]
    succeed("fetch", *arguments)
    task, manifest = TASKS["essentiality"], tmp_path / "data" / "manifest.json"
    chosen = Essentiality(window_bp=347, upstream_bp=192, markov_order=2)
    task.prepare(files, out / "source.json", "ecoli", chosen, 0, manifest)
    found = task.open(manifest, out / "source.json")
    # three selenoproteins and prfB, which has a frame shift, are left out
    assert found.prepared.facts["unknown_genes"] == 0 and len(found.table) == 4284
    assert found.prepared.dropped["internal_stop"] == 3
    assert found.table["essential"].sum() == 296
    area = roc_auc_score(found.table["essential"], found.table["gene_length"])
    assert area == pytest.approx(0.538, abs=5e-4)
    # start codons are NTG, and a few ATN
    starts = found.table["window"].str[192:195]
    assert (starts.str[1:] == "TG").mean() > 0.99


def test_labels_of_another_organism_are_refused(files: TaskFiles) -> None:
    paths = [label_file(files, name, Essentiality()) for name in ("ecoli", "mtuberculosis")]
    tables = [read_labels(path) for path in paths]
    genes = tables[1].rename(columns={"locus_tag": "gene_id", "gene": "name"})
    assert join_labels(paths[1], tables[1], genes).unknown == []
    with pytest.raises(Exception, match="give the labels of this organism"):
        join_labels(paths[0], tables[0], genes)
