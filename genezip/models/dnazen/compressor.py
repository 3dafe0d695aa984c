"""DNAZEN as a compressor: its tokens are G-grams, and words between them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file

from genezip.artifacts.files import sha256_file, write_json, write_text
from genezip.artifacts.scores import UNTRAINED
from genezip.errors import GenezipError
from genezip.models import CARD, CONFIG, KIND
from genezip.models.base import Level, PlainCompressor, Sequences, ids_of
from genezip.models.bpe.compressor import BPE
from genezip.models.bpe.vocabulary import (
    TOKENIZER,
    TOKENIZER_CONFIG,
    cuts_blocks,
    read_tokenizer,
    save_tokenizer,
)
from genezip.models.compressed import Compressed, Embedding, tokens_at
from genezip.models.device import choose_device
from genezip.models.dnazen.architecture import WordsArchitecture, words_architecture
from genezip.models.dnazen.ggrams import GGRAMS, GGrams, Matches
from genezip.models.dnazen.mining import tokens_in_blocks
from genezip.models.dnazen.network import WordsNetwork, build_words, words_flops
from genezip.models.dnazen.prediction import check_table, token_vectors
from genezip.models.dnazen.rows import matches_of_rows
from genezip.models.hub import model_folder
from genezip.models.pretrained import WEIGHTS, save_weights

PASS_BP = 1_048_576
_KEYS = {"name": str, "architecture": dict, "block_bp": int, "sha256": dict, "training": dict}


@dataclass(frozen=True)
class WordsCard:
    """The content of ``config.json`` of a model folder.

    ``training`` has settings and results of the training, and the hashes of the files.
    """

    name: str
    seed: int
    architecture: WordsArchitecture
    block_bp: int
    training: dict[str, Any]


class DnaZen(PlainCompressor):
    """A trained DNAZEN.

    DNA is cut into blocks, and blocks into words of a vocabulary
    (:class:`~genezip.models.bpe.compressor.BPE`). From the left, the longest G-gram that begins at
    a word is a token, and a word where none begins. A token has an id: that of its word, or the
    vocabulary's size plus the row of its G-gram; its vector is the mean of the states of its words,
    and that of a base is the state of its word. Without a table of G-grams tokens are words.

    There are no boundary probabilities and no likelihood of a base. Windows of a multiple of the
    block have the tokens of the whole sequence.
    """

    def __init__(
        self, network: WordsNetwork, tokenizer: BPE, ggrams: GGrams | None, card: WordsCard
    ) -> None:
        if ggrams is not None:
            ggrams.check_tokenizer(tokenizer.sha256, tokenizer.vocabulary, tokenizer.name)
        if not check_table(ggrams, network):
            held = "none" if ggrams is None else f"{len(ggrams):,}"
            raise GenezipError(
                f"{card.name} was made for {network.shape.ggrams or 0:,} G-grams and has {held}; "
                "copy all files from one model"
            )
        self.network, self.tokenizer, self.ggrams, self.card = (
            network.eval(), tokenizer, ggrams, card,
        )  # fmt: skip
        self.name = card.name
        self.window_multiple = tokenizer.block_bp
        self.max_bp = max(PASS_BP // tokenizer.block_bp, 1) * tokenizer.block_bp
        self.width = self.token_width = network.shape.width
        self.vocabulary = tokenizer.vocabulary + (0 if ggrams is None else len(ggrams))

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        device: str = "cpu",
        revision: str | None = None,
        *,
        untrained: bool = False,
    ) -> Self:
        """Open a model folder, or a hub id ``owner/name``.

        ``device`` is ``cpu``, ``cuda`` or ``auto``; ``untrained`` uses the same layout, words and
        G-grams with the weights of the seed before the first step.
        """
        names = [CONFIG, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG, GGRAMS]
        path = model_folder(folder, revision, names)
        card = read_card(path)
        hashes = card.training["sha256"]
        for name in hashes:
            if not (path / name).is_file():
                raise GenezipError(
                    f"{path / name} is missing; copy the whole model folder or train again"
                )
            if sha256_file(path / name) != hashes[name]:
                raise GenezipError(
                    f"{path / name} is broken: its sha256 differs from {CONFIG}; copy it again or "
                    "train again"
                )
        words = read_tokenizer(path / TOKENIZER)
        if not cuts_blocks(words, card.block_bp):
            raise KIND.foreign(path / CONFIG)
        tokenizer = BPE(words, card.block_bp, card.name, sha256=hashes.get(TOKENIZER))
        table = GGrams.read(path / GGRAMS) if GGRAMS in hashes else None
        network = build_words(card.architecture, card.seed)
        if untrained:
            card = replace(card, name=UNTRAINED)
        else:
            try:
                network.load_state_dict(load_file(path / WEIGHTS))
            except (SafetensorError, RuntimeError):
                raise GenezipError(
                    f"{path / WEIGHTS} does not hold the weights of {CONFIG}; copy both from the "
                    "same model"
                ) from None
        return cls(network.to(choose_device(device)), tokenizer, table, card)

    def save(self, folder: str | Path) -> None:
        """Write the model folder; ``config.json`` is written last, with the hashes of all files."""
        folder = Path(folder)
        save_tokenizer(folder, self.tokenizer.tokenizer)
        save_weights(folder / WEIGHTS, self.network)
        if self.ggrams is not None:
            self.ggrams.save(folder / GGRAMS)
        names = [WEIGHTS, TOKENIZER, *([GGRAMS] if self.ggrams is not None else [])]
        hashes = {name: sha256_file(folder / name) for name in names}
        training = {key: value for key, value in self.card.training.items() if key != "sha256"}
        self.card = replace(self.card, training={**training, "sha256": hashes})
        write_text(folder / CARD, self._card_text())
        head = KIND.head(
            compressor="dnazen",
            name=self.name,
            seed=self.card.seed,
            parameters=self.network.count_parameters(),
            architecture=self.card.architecture.to_dict(),
            block_bp=self.card.block_bp,
            sha256=hashes,
            training=training,
        )
        write_json(folder / CONFIG, head)

    @property
    def facts(self) -> dict[str, Any]:
        """JSON values that identify the model in stored results."""
        hashes = self.card.training.get("sha256", {})
        trained = {} if self.name == UNTRAINED else {"sha256": hashes.get(WEIGHTS)}
        return {
            "compressor": "dnazen",
            "name": self.name,
            "seed": self.card.seed,
            **trained,
            "ggrams_sha256": hashes.get(GGRAMS),
            "block_bp": self.card.block_bp,
        }

    @property
    def metadata(self) -> dict[str, Any]:
        """JSON values that are recorded in files of its tokens."""
        training = self.card.training
        known: dict[str, Any] = {
            key: training[key] for key in ("scale", "source") if key in training
        }
        return {
            "model": self.name,
            **self.facts,
            "parameters": self.network.count_parameters(),
            "vocabulary": self.tokenizer.vocabulary,
            "ggrams": 0 if self.ggrams is None else len(self.ggrams),
            "cut_at": f"every {self.card.block_bp} bp, and runs of N, each of which is one token",
            **known,
        }

    def encode(self, sequences: Sequences) -> list[Compressed]:
        """Cut sequences of any length into tokens; the first stage is words, the second tokens."""
        return [self._cut(one)[0] for one in self._words(sequences)]

    def embed(self, sequences: Sequences, level: Level = "base") -> list[Embedding]:
        """Vectors of the bases (states of their words), or of the tokens (means over words)."""
        found = []
        for one, states in self._with_states(sequences):
            tokens, first = self._cut(one)
            if level == "base":
                spread = np.repeat(states, one.chunk_bp, axis=0)
                found.append(Embedding(spread, np.arange(one.length)))
            else:
                counts = np.diff(np.append(first, len(states)))
                means = np.add.reduceat(states, first, axis=0) / counts[:, None]
                found.append(Embedding(means.astype(np.float32), tokens.token_starts))
        return found

    def encode_with_vectors(self, sequences: Sequences) -> list[Compressed]:
        """Tokens, and vectors of the bases (``base_vectors``), in one pass."""
        return [
            replace(self._cut(one)[0], base_vectors=np.repeat(states, one.chunk_bp, axis=0))
            for one, states in self._with_states(sequences)
        ]

    def matches(self, sequences: Sequences) -> list[Matches]:
        """The G-grams that occur in each sequence, overlapping ones as well, by its words."""
        found = []
        for one in self._words(sequences):
            parts = self._matches([one])
            first = np.cumsum([0, *map(len, self._blocks(one))])
            starts = [part.start + at for part, at in zip(parts, first, strict=False)]
            columns = ([part.length for part in parts], [part.ggram for part in parts])
            found.append(Matches(*(np.concatenate(column) for column in (starts, *columns))))
        return found

    def flops(self, lengths: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Operations of one pass without the head, float64 (n,); a multiply-add counts as two.

        ``tokens`` are words and tokens of each sequence, int64 (n, 2). Blocks have equal numbers of
        words, and as many G-grams as the layout allows, so this is an upper limit.
        """
        shape, found = self.network.shape, np.zeros(len(lengths))
        for row, (length, words) in enumerate(zip(lengths, tokens[:, 0], strict=True)):
            blocks = -(-int(length) // self.card.block_bp)
            most = min(int(words), blocks * shape.most_ggrams)
            found[row] = words_flops(shape, int(words) + 2 * blocks, most, blocks)
        return found

    def _words(self, sequences: Sequences) -> list[Compressed]:
        return self.tokenizer.encode(ids_of(sequences))

    def _blocks(self, one: Compressed) -> list[np.ndarray]:
        """Words of every block of a sequence."""
        assert one.token_ids is not None
        return tokens_in_blocks(one.token_starts, one.token_ids, self.card.block_bp)

    def _matches(self, words: list[Compressed]) -> list[Matches]:
        """G-grams in every block of some sequences."""
        return matches_of_rows(self.ggrams, [block for one in words for block in self._blocks(one)])

    def _cut(self, one: Compressed) -> tuple[Compressed, np.ndarray]:
        """Tokens of a sequence, and the first word of each of them, int64 (M,)."""
        assert one.token_ids is not None
        ids, first, merged = one.token_ids, [], []
        at = 0
        for block, found in zip(self._blocks(one), self._matches([one]), strict=True):
            keep = np.ones(len(block), dtype=bool)
            own = block.copy()
            if self.ggrams is not None:
                cover = self.ggrams.cover(block, found)
                for start, length, ggram in zip(
                    cover.start, cover.length, cover.ggram, strict=True
                ):
                    keep[start + 1 : start + length] = False
                    own[start] = self.tokenizer.vocabulary + ggram
            first.append(np.flatnonzero(keep) + at)
            merged.append(own[keep])
            at += len(block)
        words = np.concatenate(first)
        starts = one.token_starts[words]
        found_tokens = tokens_at(one.length, starts, token_ids=np.concatenate(merged))
        stages = np.array([len(ids), len(words)], dtype=np.int64)
        return replace(found_tokens, stage_tokens=stages, bound_active=np.zeros(2, bool)), words

    def _with_states(self, sequences: Sequences) -> list[tuple[Compressed, np.ndarray]]:
        """Words of each sequence, and their states, float32 (n, width)."""
        words = self._words(sequences)
        blocks = [self._blocks(one) for one in words]
        flat = [block for one in blocks for block in one]
        states = token_vectors(self.network, flat, self._matches(words))
        found, at = [], 0
        for one, own in zip(words, blocks, strict=True):
            found.append((one, np.concatenate(states[at : at + len(own)])))
            at += len(own)
        return found

    def _card_text(self) -> str:
        """Text of the model card."""
        training = self.card.training
        valid = training.get("valid") or {}
        numbers = "\n".join(f"| {key} | {value} |" for key, value in valid.items())
        phrases = "no G-grams" if self.ggrams is None else f"{len(self.ggrams):,} G-grams"
        return f"""# {self.name}, seed {self.card.seed}

Words and phrases of DNA by the method of DNAZEN (arXiv 2505.02206):
{self.network.count_parameters():,} parameters, {self.tokenizer.vocabulary:,} words, {phrases},
trained on the source `{training.get("source", "unknown")}` (scale
`{training.get("scale", "unknown")}`), corpus manifest `{training.get("corpus_sha256", "unknown")}`.

```python
import genezip as gz

model = gz.load("path/to/this/folder")
model.encode(["ACGT" * 300])[0].token_starts, model.embed(["ACGT" * 300])[0].vectors
```

DNA is cut at every multiple of {self.card.block_bp:,} bp; within such a block a run of N is one
word. `transformers.AutoTokenizer.from_pretrained` opens the words.

| on validation windows | value |
|---|---|
{numbers}
"""


def read_card(path: Path) -> WordsCard:
    """Read ``config.json`` of a model folder; that of another system is refused."""
    config = KIND.read(path / CONFIG)
    wrong = any(not isinstance(config.get(key), kind) for key, kind in _KEYS.items())
    if wrong or config.get("compressor") != "dnazen":
        raise KIND.foreign(path / CONFIG)
    shape = words_architecture(config["architecture"], str(path / CONFIG))
    training = {**config["training"], "sha256": config["sha256"]}
    return WordsCard(config["name"], config["seed"], shape, config["block_bp"], training)
