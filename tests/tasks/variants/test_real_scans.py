"""The real scans: every wild-type residue agrees, and what is known without a model."""

from pathlib import Path

import pytest
from scipy.stats import spearmanr

from genezip.config import VariantEffect
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.variants.baselines import baseline_columns
from genezip.tasks.variants.codons import translate
from genezip.tasks.variants.scans import read_scan
from genezip.tasks.variants.task import chosen_codons

# variants with a measurement, residues of the protein without its stop
SIZES = {
    "IF1": (1368, 72),
    "TEM1": (4978, 286),
    "TEM1_cefotaxime": (4978, 286),
    "APH3II": (5016, 264),
    "PABP": (1188, 577),
}


@pytest.fixture(scope="module")
def files(mirror: Path) -> TaskFiles:
    folder = mirror / "other_systems"
    paths = [*sorted((folder / "dms").glob("*")), *sorted(folder.glob("dms.*"))]
    return TaskFiles(Path("files.json"), (*paths, *sorted(folder.glob("yeast_*"))), {})


@pytest.mark.parametrize("name", [*list(SIZES)[:4], pytest.param("PABP", marks=pytest.mark.slow)])
def test_every_residue_agrees_with_the_coding_sequence(files: TaskFiles, name: str) -> None:
    scan = read_scan(files, VariantEffect().sets[name])
    protein = translate(scan.cds, 1)
    assert (len(scan.table), protein.index("*")) == SIZES[name]
    for position, wild in scan.table[["position", "wild"]].itertuples(index=False):
        assert protein[position - 1] == wild


def test_what_is_known_of_if1_without_a_model(files: TaskFiles) -> None:
    scan = read_scan(files, VariantEffect().sets["IF1"])
    table = scan.table.assign(codons=chosen_codons(scan.table, scan.cds, "nearest", 1))
    columns = baseline_columns(table, scan.cds, "", 1, None)
    found = {name: spearmanr(table["score"], columns[name]).statistic for name in columns}
    # a prototype on 700 of these variants had 0.148, -0.20 and 0.132
    assert found["hydropathy"] == pytest.approx(0.131, abs=5e-4)
    assert found["position"] == pytest.approx(-0.204, abs=5e-4)
    assert found["nucleotide_changes"] == pytest.approx(0.117, abs=5e-4)
