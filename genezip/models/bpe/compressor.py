"""A byte-pair-encoding vocabulary as a compressor."""

from collections import defaultdict
from pathlib import Path
from typing import Any, Self

import numpy as np
from tokenizers import Tokenizer

from genezip.alphabet import decode
from genezip.artifacts.files import sha256_file, write_json, write_text
from genezip.errors import GenezipError
from genezip.models import CARD, CONFIG, KIND
from genezip.models.base import PlainCompressor, Sequences, ids_of
from genezip.models.bpe.vocabulary import (
    TOKENIZER,
    TOKENIZER_CONFIG,
    cuts_blocks,
    read_tokenizer,
    save_tokenizer,
)
from genezip.models.compressed import Compressed, tokens_at
from genezip.models.hub import model_folder

ONE_PASS_BP = 1_048_576
_TYPES = {"name": str, "block_bp": int, "vocabulary": int, "sha256": dict, "training": dict}


class BPE(PlainCompressor):
    """Tokens are words of a vocabulary and runs of N; they have ids but no vectors.

    :mod:`genezip.models.bpe.vocabulary` describes how DNA is split before words are matched.
    Blocks of ``block_bp`` bases are independent, so windows of a multiple of this length have the
    tokens of the whole sequence. There is no stream, because the tokens of a block depend on its
    last base.

    ``tokenizer`` is of :func:`genezip.models.bpe.vocabulary.fit_tokenizer`; ``facts`` are JSON
    values on its origin (``source``, ``scale``, ...) and ``sha256`` is the hash of
    ``tokenizer.json``, if it was read from there.
    """

    vocabulary: int  # number of token ids, special tokens included

    def __init__(
        self,
        tokenizer: Tokenizer,
        block_bp: int,
        name: str = "bpe",
        seed: int | None = None,
        facts: dict[str, Any] | None = None,
        sha256: str | None = None,
    ) -> None:
        self.tokenizer, self.block_bp = tokenizer, block_bp
        self.vocabulary = int(tokenizer.get_vocab_size())
        self.window_multiple = block_bp
        # bases encoded at a time: a multiple of the blocks, so that no token is cut
        self._pass_bp = self.max_bp = max(ONE_PASS_BP // block_bp, 1) * block_bp
        self.name, self.seed, self.sha256 = name, seed, sha256
        self._facts = facts or {}

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, device: str = "cpu", revision: str | None = None
    ) -> Self:
        """Open a model folder, or a hub id ``owner/name``; ``device`` is not used."""
        path = model_folder(folder, revision, [CONFIG, TOKENIZER, TOKENIZER_CONFIG])
        config = KIND.read(path / CONFIG)
        wrong = any(not isinstance(config.get(key), kind) for key, kind in _TYPES.items())
        if wrong or config.get("compressor") != "bpe":
            raise KIND.foreign(path / CONFIG)
        words = path / TOKENIZER
        if not words.is_file():
            raise GenezipError(f"{words} is missing; copy the whole model folder or fit it again")
        if sha256_file(words) != config["sha256"].get(TOKENIZER):
            raise GenezipError(
                f"{words} is broken: its sha256 differs from {CONFIG}; copy it again or fit it "
                "again"
            )
        tokenizer = read_tokenizer(words)
        size = tokenizer.get_vocab_size()
        if not cuts_blocks(tokenizer, config["block_bp"]) or size != config["vocabulary"]:
            raise GenezipError(
                f"{words} does not fit {CONFIG}, which has blocks of {config['block_bp']} bp and a "
                f"vocabulary of {config['vocabulary']}; copy both from one model"
            )
        return cls(
            tokenizer,
            config["block_bp"],
            config["name"],
            config.get("seed"),
            config["training"],
            config["sha256"][TOKENIZER],
        )

    def save(self, folder: str | Path) -> None:
        """Write the model folder; ``config.json`` is written last, with the hash of the words."""
        folder = Path(folder)
        save_tokenizer(folder, self.tokenizer)
        self.sha256 = sha256_file(folder / TOKENIZER)
        write_text(folder / CARD, self._card())
        head = KIND.head(
            compressor="bpe",
            name=self.name,
            seed=self.seed,
            block_bp=self.block_bp,
            vocabulary=self.vocabulary,
            sha256={TOKENIZER: self.sha256},
            training=self._facts,
        )
        write_json(folder / CONFIG, head)

    @property
    def facts(self) -> dict[str, Any]:
        """JSON values that identify the model in stored results."""
        return {
            "compressor": "bpe",
            "name": self.name,
            "seed": self.seed,
            "sha256": self.sha256,
            "block_bp": self.block_bp,
        }

    @property
    def metadata(self) -> dict[str, Any]:
        """JSON values that are recorded in files of its tokens."""
        known = {key: value for key, value in self._facts.items() if key in ("scale", "source")}
        return {
            "model": self.name,
            "seed": self.seed,
            "tokenizer_sha256": self.sha256,
            "vocabulary": self.vocabulary,
            "block_bp": self.block_bp,
            "cut_at": f"every {self.block_bp} bp, and runs of N, each of which is one token",
            **known,
        }

    def encode(self, sequences: Sequences) -> list[Compressed]:
        """Cut sequences of any length into tokens."""
        found = []
        for ids in ids_of(sequences):
            starts, words = self._tokens(ids)
            found.append(tokens_at(len(ids), starts, token_ids=words))
        return found

    def flops(self, lengths: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Zeros, float64, shape (n,): there are no multiplications."""
        return np.zeros(len(lengths))

    def _card(self) -> str:
        """Text of the model card."""
        of = defaultdict(lambda: "unknown", self._facts)
        return f"""# {self.name}, seed {self.seed}

{self.vocabulary:,} tokens of DNA by byte-pair encoding, fitted on {of["bases"]} bases of training
windows of the source `{of["source"]}` (scale `{of["scale"]}`), corpus manifest
`{of["corpus_sha256"]}`.

DNA is cut at every multiple of {self.block_bp:,} bp; within such a block a run of N is one token.

```python
from genezip.models import load

load("path/to/this/folder").encode(["ACGT" * 3000])[0].token_starts
```

`transformers.AutoTokenizer.from_pretrained` opens the folder and gives the same ids for the same
text. `tokenizer.json` has the sha256 `{self.sha256}`.
"""

    def _tokens(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First base and id of every token: int64 arrays, shape (M,)."""
        starts, words = [], []
        for at in range(0, len(ids), self._pass_bp):
            text = decode(ids[at : at + self._pass_bp]).decode()
            found = self.tokenizer.encode(text, add_special_tokens=False)
            starts.append(at + np.array(found.offsets, dtype=np.int64)[:, 0])
            words.append(np.array(found.ids, dtype=np.int64))
        return np.concatenate(starts), np.concatenate(words)
