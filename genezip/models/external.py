"""Published models of other groups behind :class:`~genezip.models.base.Compressor`.

All are loaded by the package ``transformers`` from a local folder or the hub, with the code beside
their weights (``trust_remote_code``), which a ``revision`` pins. The package is optional and
imported only here.

These facts are from the public configuration and code of each family, not from a run of its
published weights:

========== ============================ ========================= ==============================
family     vector of a base             longest input (bp)        notes
========== ============================ ========================= ==============================
caduceus   last hidden state, d_model   tokenizer's maximum, else both directions; PS (``rcps``)
                                        131,072                   doubles the channels: the second
                                                                  half is that of the other strand,
                                                                  channels reversed
hyenadna   last hidden state, d_model   ``max_seq_len`` - 2, the  reads left to right, so causal;
                                        two special tokens of its no stream
                                        training
janusdna   last hidden state            ``max_seq_len``, else     both directions; a local folder
                                        131,072                   that ``transformers`` can load
ntv3       last of the hidden states of tokenizer's maximum, else U-Net: lengths are multiples of
           the masked language model    1,048,576                 2^(number of down-samplings), N
                                                                  fills the end and is cut off
========== ============================ ========================= ==============================

Sources: Caduceus arXiv 2403.03234 and ``kuleshov-group/caduceus``; HyenaDNA arXiv 2306.15794 and
``LongSafari/hyenadna-*-hf``; JanusDNA arXiv 2505.17257 (weights on Dataverse, no folder for
``transformers`` known); NTv3 ``InstaDeepAI/NTv3_*`` (7 down-samplings: multiples of 128).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from genezip.alphabet import A_ID, BASES, N_ID
from genezip.artifacts.files import sha256_file
from genezip.config.tasks import Comparator
from genezip.errors import GenezipError
from genezip.models.base import Level, PlainCompressor, Sequences, ids_of
from genezip.models.compressed import Compressed, Embedding
from genezip.models.device import choose_device
from genezip.models.hub import HubId

BATCH_BP = {"cpu": 16_384, "cuda": 131_072}
_UNLIMITED = 10**9  # tokenizers without a maximum give a number far above any context


@dataclass(frozen=True)
class Family:
    """Common properties of the models of a family.

    Attributes
    ----------
    causal : whether the vector of a base does not depend on later bases
    masked_lm : whether vectors are hidden states of the masked language model
    context : (attribute of the configuration, number to subtract), or None
    default_bp : longest input if neither configuration nor tokenizer has a limit
    halvings : down-samplings if the configuration has no number; 0 for any input length
    local_only : whether no repository on the hub is known
    """

    causal: bool
    masked_lm: bool
    context: tuple[str, int] | None
    default_bp: int
    halvings: int = 0
    local_only: bool = False


FAMILIES = {
    "caduceus": Family(False, False, None, 131_072),
    "hyenadna": Family(True, False, ("max_seq_len", 2), 1_000_000),
    "janusdna": Family(False, False, ("max_seq_len", 0), 131_072, local_only=True),
    "ntv3": Family(False, True, None, 1_048_576, halvings=7),
}


class ExternalModel(PlainCompressor):
    """A ``transformers`` model with one token per base.

    A sequence longer than the context is read in consecutive independent windows.

    Parameters
    ----------
    model : in evaluation mode, on its device
    letters : token ids of A, C, G, T, N
    width : length of the vector of a base
    max_bp : longest input
    multiple : inputs are padded with N to a multiple of this length
    """

    def __init__(
        self,
        name: str,
        model: Any,
        letters: Sequence[int],
        family: Family,
        width: int,
        max_bp: int,
        multiple: int,
        facts: dict[str, Any],
    ) -> None:
        self.name, self.width, self.causal, self._facts = name, width, family.causal, facts
        self.max_bp = self._window_bp = max_bp
        self._model, self._family = model, family
        self._device = next(model.parameters()).device
        self.window_multiple = multiple
        self._batch_bp = BATCH_BP.get(self._device.type, BATCH_BP["cpu"])
        self._ids = np.full(256, letters[4], dtype=np.int64)
        self._ids[A_ID : A_ID + 4] = letters[:4]

    @property
    def facts(self) -> dict[str, Any]:
        """JSON values that identify the model."""
        return self._facts

    def encode(self, sequences: Sequences) -> list[Compressed]:
        """Every base is a token, with the vector of the base."""
        return [
            Compressed(
                length=len(found.vectors),
                token_starts=found.starts,
                tokens=found.vectors,
                stage_tokens=np.zeros(0, dtype=np.int64),
                bound_active=np.zeros(0, dtype=bool),
            )
            for found in self.embed(sequences)
        ]

    def embed(self, sequences: Sequences, level: Level = "base") -> list[Embedding]:
        """Vectors of independent sequences, equal for both levels, since a base is a token.

        These models have no padding, so only sequences of one length share a batch.
        """
        ids = ids_of(sequences)
        found: list[np.ndarray | None] = [None] * len(ids)
        for length in sorted({len(one) for one in ids}):
            same = [number for number, one in enumerate(ids) if len(one) == length]
            at_a_time = max(1, self._batch_bp // length) if length <= self._window_bp else 1
            for first in range(0, len(same), at_a_time):
                chosen = same[first : first + at_a_time]
                windows = [
                    self._batch([ids[number][at : at + self._window_bp] for number in chosen])
                    for at in range(0, length, self._window_bp)
                ]
                for row, number in enumerate(chosen):
                    found[number] = np.concatenate([window[row] for window in windows])
        return [Embedding(one, np.arange(len(one))) for one in found if one is not None]

    def boundaries(self, sequences: Sequences) -> list[np.ndarray]:
        """Every base, as each begins a token."""
        return [np.arange(len(ids)) for ids in ids_of(sequences)]

    @torch.inference_mode()
    def _batch(self, sequences: list[np.ndarray]) -> list[np.ndarray]:
        length = len(sequences[0])
        padded = -(-length // self.window_multiple) * self.window_multiple
        batch = np.full((len(sequences), padded), self._ids[N_ID], dtype=np.int64)
        batch[:, :length] = self._ids[np.stack(sequences)]
        ids = torch.from_numpy(batch).to(self._device)
        if self._family.masked_lm:
            states = self._model(input_ids=ids, output_hidden_states=True).hidden_states[-1]
        else:
            output = self._model(input_ids=ids)
            states = output[0] if isinstance(output, tuple) else output.last_hidden_state
        if tuple(states.shape) != (*ids.shape, self.width):
            raise GenezipError(
                f"{self.name} has vectors of shape {tuple(states.shape)} for "
                f"{tuple(ids.shape)} bases, but {(*ids.shape, self.width)} is expected; it is "
                "no model of one token per base, so name another kind or source"
            )
        kept: np.ndarray = states[:, :length].float().cpu().numpy()
        return list(kept)


def load_comparator(comparator: Comparator, name: str, device: str | torch.device) -> ExternalModel:
    """Load a published model from its section of the configuration; ``name`` is that in tables.

    The code of the model may need further packages; an error names what is missing.
    """
    family = FAMILIES[comparator.kind]
    transformers = _transformers(name)
    hub_id = HubId.parse(comparator.source, comparator.revision)
    source = comparator.source if hub_id is None else hub_id.name
    revision = None if hub_id is None else hub_id.revision
    local = Path(source).is_dir()
    if not local and (family.local_only or hub_id is None):
        where = (
            "its weights into a folder that transformers can load"
            if family.local_only
            else ("the model there")
        )
        raise GenezipError(
            f"benchmarks.comparators.{name}: there is no folder {source}; put {where} and name it "
            "in source"
        )
    options = {"trust_remote_code": True, "revision": revision}
    auto = transformers.AutoModelForMaskedLM if family.masked_lm else transformers.AutoModel
    try:
        config = transformers.AutoConfig.from_pretrained(source, **options)
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, **options)
        model = auto.from_pretrained(source, config=config, **options)
    except Exception as error:  # runs code of the model, which may raise anything
        reason = " ".join(str(error).split())[:300]
        raise GenezipError(
            f"benchmarks.comparators.{name}: {source} cannot be loaded by transformers "
            f"({type(error).__name__}: {reason}); install the missing package, or name another "
            "source"
        ) from error
    letters = _letters(tokenizer, name, source)
    facts = {
        "name": name,
        "seed": None,
        "kind": comparator.kind,
        "source": source,
        "revision": revision or getattr(config, "_commit_hash", None),
        "sha256": _weights(Path(source)) if local else None,
        "transformers": str(transformers.__version__),
        "bound": None,
        "precision": "fp32",
    }
    multiple = 1
    if family.halvings:
        multiple = 2 ** int(getattr(config, "num_downsamples", family.halvings))
    max_bp = _context(family, config, tokenizer) // multiple * multiple
    model = model.float().eval().to(choose_device(str(device)))
    width = _width(model, config, family, letters[4], multiple)
    if width is None:
        raise GenezipError(
            f"benchmarks.comparators.{name}: the configuration of {source} has neither d_model nor "
            "hidden_size, so the length of its vectors is unknown; name another source"
        )
    return ExternalModel(name, model, letters, family, width, max_bp, multiple, facts)


def _transformers(name: str) -> ModuleType:
    try:
        import transformers
    except ImportError:
        raise GenezipError(
            f"benchmarks.comparators.{name} needs the package transformers; run "
            "pip install transformers, or remove the comparator"
        ) from None
    found: ModuleType = transformers
    return found


def _letters(tokenizer: Any, name: str, source: str) -> list[int]:
    """Token ids of A, C, G, T, N in a tokenizer."""
    found = tokenizer.convert_tokens_to_ids([*BASES.decode(), "N"])
    unknown = getattr(tokenizer, "unk_token_id", None)
    if any(number is None or number == unknown for number in found) or len(set(found)) < 5:
        raise GenezipError(
            f"benchmarks.comparators.{name}: the tokenizer of {source} has no separate token for "
            f"each of A, C, G, T and N (ids {found}); name a model of one token per base"
        )
    return [int(number) for number in found]


def _context(family: Family, config: Any, tokenizer: Any) -> int:
    """Longest input (bp)."""
    if family.context is not None:
        attribute, less = family.context
        limit = getattr(config, attribute, None)
        if limit is not None:
            return int(limit) - less
    limit = getattr(tokenizer, "model_max_length", None)
    return int(limit) if limit is not None and limit < _UNLIMITED else family.default_bp


def _width(model: Any, config: Any, family: Family, letter: int, multiple: int) -> int | None:
    """Length of the vector of a base: from the configuration, or for a U-Net from a short run."""
    if family.masked_lm:  # its last level may differ from the inner width of the configuration
        ids = torch.full((1, multiple), letter, device=next(model.parameters()).device)
        with torch.inference_mode():
            states = model(input_ids=ids, output_hidden_states=True).hidden_states[-1]
        return int(states.shape[-1])
    for attribute in ("d_model", "hidden_size"):
        found = getattr(config, attribute, None)
        if found is not None:
            return int(found) * (2 if getattr(config, "rcps", False) else 1)
    return None


def _weights(folder: Path) -> dict[str, str]:
    """SHA-256 of the weight files of a local folder."""
    files = [path for kind in ("*.safetensors", "*.bin") for path in sorted(folder.glob(kind))]
    return {path.name: sha256_file(path) for path in files}
