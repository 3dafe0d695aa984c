"""Published models behind one interface; ``transformers`` itself is replaced by a small fake."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from genezip.alphabet import encode
from genezip.config.tasks import Comparator
from genezip.errors import GenezipError
from genezip.inference.forward import base_vectors
from genezip.models.external import ExternalModel, load_comparator

VOCABULARY = {"[CLS]": 0, "[PAD]": 4, "[UNK]": 6, "A": 7, "C": 8, "G": 9, "T": 10, "N": 11}


class FakeModel(torch.nn.Module):
    """A base's vector is its token id, repeated; the batches it saw are kept."""

    def __init__(self, width: int, masked_lm: bool) -> None:
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1, dtype=torch.float16))
        self.width, self.masked_lm = width, masked_lm
        self.seen: list[list[list[int]]] = []

    def forward(self, input_ids: torch.Tensor, output_hidden_states: bool = False) -> Any:
        self.seen.append(input_ids.tolist())
        states = input_ids.unsqueeze(-1).expand(-1, -1, self.width).half()
        if self.masked_lm:
            assert output_hidden_states
            return SimpleNamespace(logits=None, hidden_states=(torch.zeros_like(states), states))
        return SimpleNamespace(last_hidden_state=states)


class FakeTokenizer(SimpleNamespace):
    unk_token_id = 6

    def convert_tokens_to_ids(self, tokens: list[str]) -> list[int]:
        return [self.vocabulary.get(token, 6) for token in tokens]


def fake(
    monkeypatch: pytest.MonkeyPatch,
    config: dict[str, Any],
    vocabulary: dict[str, int] = VOCABULARY,
    length: float = 1e30,
    gives: int | None = None,
) -> dict[str, Any]:
    """Put a ``transformers`` in place; what it was asked is in the dict that comes back."""
    asked: dict[str, Any] = {}

    def auto(kind: str, made: Any) -> SimpleNamespace:
        def from_pretrained(source: str, **options: Any) -> Any:
            asked[kind] = (source, options)
            if isinstance(made, Exception):
                raise made
            return made

        return SimpleNamespace(from_pretrained=from_pretrained)

    width = gives or config.get("d_model", config.get("embed_dim", 1))
    module = ModuleType("transformers")
    tokenizer = FakeTokenizer(vocabulary=vocabulary, model_max_length=length)
    values = {
        "__version__": "0",
        "AutoConfig": auto("config", SimpleNamespace(**config)),
        "AutoTokenizer": auto("tokenizer", tokenizer),
        "AutoModel": auto("model", FakeModel(width, False)),
        "AutoModelForMaskedLM": auto("masked_lm", FakeModel(width, True)),
    }
    for name, value in values.items():
        setattr(module, name, value)
    monkeypatch.setitem(sys.modules, "transformers", module)
    return asked


def load(kind: str, source: str | Path, revision: str | None = None) -> ExternalModel:
    section = Comparator(kind=kind, source=str(source), revision=revision)
    return load_comparator(section, "peer", "cpu")


def joined(model: ExternalModel, sequence: str) -> list[float]:
    return np.concatenate(list(base_vectors(model, encode(sequence))))[:, 0].tolist()


def test_bases_become_the_tokenizers_ids_and_other_letters_n(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake(monkeypatch, {"d_model": 3, "max_seq_len": 1002})
    model = load("hyenadna", tmp_path)
    assert joined(model, "ACGTNR") == [7, 8, 9, 10, 11, 11]
    assert model.width == 3 and model.max_bp == 1000 and model.causal
    assert model.token_width is None and not model.streams
    (found,) = model.embed(["ACG"], "token")
    assert found.starts.tolist() == [0, 1, 2] and found.vectors.dtype == np.float32
    (cut,) = model.encode(["ACG"])
    assert cut.chunk_bp.tolist() == [1, 1, 1] and cut.likelihood is None


def test_what_a_published_model_lacks_is_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake(monkeypatch, {"d_model": 3, "max_seq_len": 1002})
    model = load("hyenadna", tmp_path)
    for refused, what in (
        (lambda: model.log_likelihood(["ACGT"]), "likelihood"),
        (lambda: model.flops(np.array([4]), np.zeros((1, 0))), "count of operations"),
        (model.stream, "stream"),
    ):
        with pytest.raises(GenezipError, match=f"peer gives no {what}; name a model that does"):
            refused()


def test_a_sequence_longer_than_the_context_goes_in_windows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake(monkeypatch, {"d_model": 2, "max_seq_len": 6})
    model = load("hyenadna", tmp_path)
    blocks = list(base_vectors(model, encode("ACGTACGTAC")))
    assert [len(block) for block in blocks] == [4, 4, 2]
    assert [len(one.vectors) for one in model.embed(["ACGTAC", "AC"])] == [6, 2]


def test_pieces_come_back_in_order_and_only_equal_lengths_share_a_batch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake(monkeypatch, {"d_model": 2, "max_seq_len": 102})
    model = load("hyenadna", tmp_path)
    found = model.embed(["AC", "GGG", "TN", "A"])
    assert [one.vectors[:, 0].tolist() for one in found] == [[7, 8], [9, 9, 9], [10, 11], [7]]
    assert model._model.seen == [[[7]], [[7, 8], [10, 11]], [[9, 9, 9]]]


@pytest.mark.parametrize(("rcps", "width"), [(True, 8), (False, 4)])
def test_caduceus_ps_has_twice_the_channels(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rcps: bool, width: int
) -> None:
    fake(monkeypatch, {"d_model": 4, "rcps": rcps}, gives=width)
    model = load("caduceus", tmp_path)
    assert model.width == width and not model.causal
    assert model.max_bp == 131_072  # neither configuration nor tokenizer says
    assert model.embed(["ACG"])[0].vectors.shape == (3, width)


def test_the_tokenizers_maximum_is_the_context_where_the_configuration_has_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake(monkeypatch, {"d_model": 4}, length=1024)
    assert load("caduceus", tmp_path).max_bp == 1024


def test_ntv3_is_filled_with_n_to_a_multiple_and_cut_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake(monkeypatch, {"embed_dim": 5, "num_downsamples": 3}, length=30)
    model = load("ntv3", tmp_path)
    assert model.max_bp == 24
    assert joined(model, "ACGTACGTAC") == [7, 8, 9, 10] * 2 + [7, 8]
    assert model.width == 5
    assert model._model.seen[-1] == [[7, 8, 9, 10] * 2 + [7, 8] + [11] * 6]
    fake(monkeypatch, {"embed_dim": 5})
    assert load("ntv3", tmp_path).max_bp == 1_048_576  # a multiple of 2^7


def test_facts_say_which_weights_and_which_revision(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    asked = fake(monkeypatch, {"d_model": 2, "max_seq_len": 102, "_commit_hash": "c0ffee"})
    facts = load("hyenadna", tmp_path).facts
    assert list(facts["sha256"]) == ["model.safetensors"] and facts["kind"] == "hyenadna"
    assert asked["model"][1]["revision"] is None
    facts = load("hyenadna", "owner/model", "v1").facts
    assert facts["revision"] == "v1" and facts["sha256"] is None
    assert asked["model"][0] == "owner/model" and asked["model"][1]["revision"] == "v1"
    assert asked["tokenizer"][1]["trust_remote_code"] is True
    assert load("hyenadna", "owner/model").facts["revision"] == "c0ffee"


def test_without_transformers_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(
        GenezipError, match=r"comparators\.peer needs the package transformers; run"
    ):
        load("caduceus", tmp_path)


@pytest.mark.parametrize(
    ("kind", "source", "message"),
    [
        ("janusdna", "owner/model", "no folder owner/model; put its weights into a folder"),
        ("caduceus", "/no/such/folder", "no folder /no/such/folder; put the model there"),
    ],
)
def test_a_source_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, kind: str, source: str, message: str
) -> None:
    fake(monkeypatch, {"d_model": 2})
    with pytest.raises(GenezipError, match=message):
        load(kind, source)


def test_a_revision_may_stand_in_the_hub_id(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = fake(monkeypatch, {"d_model": 2, "max_seq_len": 102})
    load("hyenadna", "owner/model@v2")
    assert asked["model"][0] == "owner/model" and asked["model"][1]["revision"] == "v2"


def test_what_the_models_own_code_raises_becomes_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake(monkeypatch, {"d_model": 2})

    def fails(source: str, **options: Any) -> None:
        raise ImportError("This modeling file requires\nmamba_ssm")

    module = sys.modules["transformers"]
    monkeypatch.setattr(module, "AutoModel", SimpleNamespace(from_pretrained=fails))
    with pytest.raises(GenezipError, match=r"ImportError: This modeling file requires mamba_ssm\)"):
        load("caduceus", tmp_path)


def test_a_tokenizer_of_words_does_not_fit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(monkeypatch, {"d_model": 2}, vocabulary={"A": 7, "C": 8, "G": 9, "T": 10})
    with pytest.raises(GenezipError, match=r"no separate token for each of A, C, G, T and N"):
        load("caduceus", tmp_path)


def test_vectors_of_another_width_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake(monkeypatch, {"d_model": 4, "max_seq_len": 102}, gives=6)
    with pytest.raises(GenezipError, match=r"shape \(1, 2, 6\) for \(1, 2\) bases"):
        load("hyenadna", tmp_path).embed(["AC"])
    fake(monkeypatch, {"max_seq_len": 102})
    with pytest.raises(GenezipError, match="has neither d_model nor hidden_size"):
        load("hyenadna", tmp_path)
