"""The command line in process, and what it makes of a simulated genome step by step."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from toolkit.command_line import call
from toolkit.own_dna import corpus_arguments, regions_arguments, train_arguments

from genezip.cli import main

Cli = Callable[..., str]


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command that must fail: exit status 1 and one sentence, which is returned."""

    def run(*arguments: object) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        assert stop.value.code == 1
        said = capsys.readouterr().err.strip().splitlines()[-1]
        assert said.startswith("genezip: ")
        return said

    return run


@pytest.fixture
def works(capsys: pytest.CaptureFixture[str]) -> Cli:
    def run(*arguments: object) -> str:
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        assert stop.value.code == 0, capsys.readouterr().err
        return capsys.readouterr().err

    return run


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    sizes = [part for _ in range(3) for part in ("--chromosome-bp", 60_000)]
    assert call("simulate", "--out", folder, "--seed", 1, *sizes) == 0
    return folder


@pytest.fixture
def own(simulated: Path, tmp_path: Path) -> Path:
    """A folder with genome.fa and genes.gtf of the user."""
    folder = tmp_path / "own"
    folder.mkdir()
    shutil.copy(simulated / "pieces.fa", folder / "genome.fa")
    (folder / "genes.gtf").write_bytes(gzip.decompress((simulated / "genes.gtf.gz").read_bytes()))
    return folder


# Made once; every test has a copy, which it may change.


@pytest.fixture(scope="session")
def trained(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the ``regions`` of the simulated genome, a ``corpus``, and the model ``toy``."""
    folder = tmp_path_factory.mktemp("trained")
    repo = Path(__file__).resolve().parents[2]
    corpus = folder / "corpus" / "manifest.json"
    for words in (
        regions_arguments(simulated, folder / "regions"),
        corpus_arguments(simulated, folder / "regions", corpus.parent),
        train_arguments(corpus, repo, folder / "models" / "toy"),
    ):
        assert call(*words) == 0
    return folder


@pytest.fixture
def regions(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained / "regions", tmp_path / "regions"))


@pytest.fixture
def corpus(regions: Path, trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained / "corpus", tmp_path / "corpus")) / "manifest.json"


@pytest.fixture
def model(corpus: Path, trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained / "models" / "toy", tmp_path / "models" / "toy"))
