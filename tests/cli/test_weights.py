"""``genezip weights import``: from a published checkpoint to compressed DNA."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from toolkit.networks import published_weights

from genezip import GeneZip
from genezip.cli import main


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "GeneZip-toy"
    folder.mkdir()
    torch.save(published_weights(), folder / "pytorch_model.bin")
    return folder


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Exit status and everything said."""

    def call(*arguments: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as stop:
            main(["weights", "import", *map(str, arguments)])
        said = capsys.readouterr()
        assert isinstance(stop.value.code, int)
        return stop.value.code, said.out + said.err

    return call


def test_import_then_compress(
    source: Path, tmp_path: Path, run: Callable[..., tuple[int, str]]
) -> None:
    code, said = run(source, "--out", tmp_path / "model")
    assert code == 0
    assert "GeneZip-toy" in said
    assert "targets: assumed: transcript-balanced, base 32" in said
    z = GeneZip.from_pretrained(tmp_path / "model").compress("ACGTN" * 20)
    assert z.chunk_bp.sum() == 100
    assert len(z.tokens) >= 8  # the floor of the published models


def test_name_and_targets(
    source: Path, tmp_path: Path, run: Callable[..., tuple[int, str]]
) -> None:
    (tmp_path / "even.yaml").write_text(
        "base_bpt: 100\nmultipliers: "
        "{promoter: 1, cds: 1, utr: 1, exon: 1, intron: 1, nig: 1, dig: 2}\n"
    )
    file = source / "pytorch_model.bin"
    preset = tmp_path / "even.yaml"
    code, said = run(file, "--out", tmp_path / "m", "--name", "own", "--region-preset", preset)
    assert code == 0, said
    card = GeneZip.from_pretrained(tmp_path / "m").card
    assert card.name == "own"
    assert (card.target_bpt["cds"], card.target_bpt["dig"]) == (100, 200)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [("nowhere.bin", "nowhere.bin does not exist"), ("lab/none", "lab/none is no folder here")],
)
def test_wrong_source(
    source: str,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: Callable[..., tuple[int, str]],
) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    code, said = run(source, "--out", "model")
    assert code == 1
    assert said.startswith(f"genezip: {sentence}")
    assert len(said.strip().splitlines()) == 1
    assert not (tmp_path / "model").exists()
