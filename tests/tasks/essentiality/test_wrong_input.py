"""Labels that do not fit, genes that cannot be knocked out, organisms that are not there."""

import pandas as pd
import pytest

from genezip.errors import GenezipError
from genezip.tasks import TASKS
from genezip.tasks.base import NotMeasured
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.essentiality.labels import join_labels, read_labels
from genezip.tasks.essentiality.task import label_file

GENES = pd.DataFrame(
    {"gene_id": ["gene-b1", "gene:b2", "b3", "b4"], "name": ["thrA", "thrB", "twin", "twin"]}
)


def written(path, **columns) -> object:
    pd.DataFrame(columns).to_csv(path, sep="\t", index=False)
    return path


def test_genes_are_found_by_locus_tag_or_by_a_name_of_one_gene(tmp_path) -> None:
    path = tmp_path / "labels.tsv"
    written(path, locus_tag=["b1", "", "b3"], gene=["x", "thrB", "twin"], essential=[1, 0, 1])
    found = join_labels(path, read_labels(path), GENES)
    assert found.of_gene == {"gene-b1": 1, "gene:b2": 0, "b3": 1} and found.unknown == []
    # a name of two genes says nothing
    written(path, gene=["thrA", "thrB", "twin"], essential=[1, 0, 1])
    found = join_labels(path, read_labels(path), GENES)
    assert found.of_gene == {"gene-b1": 1, "gene:b2": 0} and found.unknown == ["twin"]


def test_tables_of_labels_that_are_refused(tmp_path) -> None:
    path = tmp_path / "labels.tsv"
    with pytest.raises(GenezipError, match="unknown column score; a table of labels has"):
        read_labels(written(path, gene=["a"], essential=[1], score=[2.0]))
    with pytest.raises(GenezipError, match="names no genes"):
        read_labels(written(path, essential=[1]))
    with pytest.raises(GenezipError, match="lacks the columns essential"):
        read_labels(written(path, gene=["a"], locus_tag=["b"]))
    with pytest.raises(GenezipError, match=r"line 3 of .* has the label '2' for the gene 'b'"):
        read_labels(written(path, gene=["a", "b"], essential=[1, 2]))
    written(path, gene=["thrA", "b1"], locus_tag=["", "b1"], essential=[1, 0])
    with pytest.raises(GenezipError, match="has the gene b1 twice, as essential and as not"):
        join_labels(path, read_labels(path), GENES)


def test_labels_of_genes_that_do_not_exist(bacteria, messages) -> None:
    table = bacteria.labels["eco"]
    table.loc[:1, "locus_tag"] = ["ghost1", "ghost2"]
    table.loc[:1, "gene"] = ""
    found = bacteria.prepare("eco")
    assert found.prepared.facts["unknown_genes"] == 2
    assert found.prepared.facts["first_unknown_genes"] == ["ghost1", "ghost2"]
    assert found.prepared.dropped == {"without_label": 2}
    assert any("2 of 30 labelled genes are not in the annotation" in m for m in messages())
    bacteria.labels["eco"] = bacteria.labels["bsu"]
    with pytest.raises(GenezipError, match=r"30 of 30 genes of .* are not in the annotation"):
        bacteria.prepare("eco")


def test_genes_whose_site_is_not_in_the_window(bacteria) -> None:
    eco = bacteria.organisms[0]
    long = sum(gene.end - gene.start > 90 for gene in eco.genes)
    assert 0 < long < 30
    # the gene is in the middle of 60 bases, so a long one begins before the window
    found = bacteria.prepare("eco", window_bp=60, upstream_bp=None)
    lengths = [gene.end - gene.start for gene in eco.genes]
    kept = [length for length in lengths if 30 - (length + 1) // 2 + 12 >= 0]
    assert len(found.table) == pytest.approx(len(kept), abs=2) and len(kept) < 30
    assert found.prepared.dropped == {"site_outside_the_window": 30 - len(found.table)}


def test_short_genes_are_counted(bacteria) -> None:
    from toolkit.bacteria import MadeGene

    eco = bacteria.organisms[0]
    text = "ATGAAACCCGGGAAACCCTAA"  # 21 bases
    eco.text = eco.text[:6] + text + eco.text[27:]
    eco.genes.append(MadeGene("eco_short", 6, 27, "+"))
    more = pd.DataFrame({"locus_tag": ["eco_short"], "gene": [""], "essential": [1]})
    bacteria.labels["eco"] = pd.concat([bacteria.labels["eco"], more])
    found = bacteria.prepare("eco")
    assert found.prepared.dropped == {"shorter_than_the_site": 1} and len(found.table) == 30


def test_an_organism_or_labels_that_are_missing(bacteria) -> None:
    scores = bacteria.measure(labels={"eco": "eco.labels", "bsu": "other", "mge": "bsu.labels"})
    absent = scores[scores["metric"] == "available"].set_index("subset")["note"]
    assert absent["mge"] == "the source has no organism mge; it has eco, bsu"
    assert absent["bsu"].startswith("files.json lists no labels other.tsv (it lists eco.labels.tsv")
    assert "eco" in set(scores["subset"])


def test_one_class_cannot_be_measured(bacteria) -> None:
    bacteria.labels["eco"]["essential"] = 0
    with pytest.raises(NotMeasured, match=r"30 genes of eco .* none is essential"):
        bacteria.prepare("eco")


def test_modes_are_named() -> None:
    task = TASKS["essentiality"]
    with pytest.raises(GenezipError, match="has no cached features; use the mode zero_shot"):
        task.refuse_mode("frozen")
    with pytest.raises(GenezipError, match="no zero-shot scores; use the mode frozen"):
        next(iter(TASKS["elements"].score_zero_shot(None, None)))  # type: ignore[arg-type]


def test_a_folder_stands_for_all_its_files(bacteria) -> None:
    _, files = bacteria.write()
    folder = TaskFiles.load(bacteria.folder)
    assert set(files.paths) < set(folder.paths) and folder.facts == {}
    assert label_file(folder, "eco", bacteria.settings()).name == "eco.labels.tsv"
