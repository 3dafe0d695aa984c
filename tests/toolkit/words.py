"""Words and phrases of made-up DNA: a vocabulary, its G-grams, small networks on them."""

import math
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genezip.alphabet import encode
from genezip.config import Mining
from genezip.models.bpe.compressor import BPE
from genezip.models.bpe.vocabulary import fit_tokenizer
from genezip.models.dnazen.architecture import WordsArchitecture
from genezip.models.dnazen.compressor import DnaZen, WordsCard
from genezip.models.dnazen.ggrams import GGrams, with_breaks
from genezip.models.dnazen.mining import mine, tokenised
from genezip.models.dnazen.network import build_words
from toolkit.dna import random_dna

BLOCK = 64
VOCABULARY = 60
SHAPE = WordsArchitecture(width=16, layers=3, heads=2, inner=24, ggram_layers=2, most_ggrams=6)
MINING = Mining(threshold=1.0, min_count=5)


def phrased_dna(length: int, seed: int) -> str:
    """Random bases with a stock of phrases that return."""
    rng = np.random.default_rng(seed)
    stock = [random_dna(int(n), n + 100) for n in range(12, 24)]
    parts = [stock[n] + random_dna(9, rng) for n in rng.integers(len(stock), size=length // 9)]
    return "".join(parts)[:length]


def vocabulary(seed: int = 0, size: int = VOCABULARY) -> BPE:
    """A vocabulary fitted to such DNA."""
    sequences = [encode(phrased_dna(4000, seed + n)) for n in range(3)]
    return BPE(fit_tokenizer(sequences, size, BLOCK), BLOCK, "words", 0, {"scale": "test"})


def words_of(tokenizer: BPE, texts: list[str]) -> np.ndarray:
    """Words of some texts with a break after each block."""
    return np.concatenate([tokenised(one, BLOCK) for one in tokenizer.encode(texts)])


def mined(tokenizer: BPE, seed: int = 0, **settings: Any) -> GGrams:
    """G-grams of such DNA."""
    ids = words_of(tokenizer, [phrased_dna(4000, seed + n) for n in range(3)])
    return mine(ids, tokenizer.vocabulary, MINING.model_copy(update=settings))


def words_model(
    tokenizer: BPE, ggrams: GGrams | None, seed: int = 3, name: str = "toy", loud: float = 20
) -> DnaZen:
    """A small network whose layers speak up as after training."""
    shape = SHAPE.sized(tokenizer.vocabulary, None if ggrams is None else len(ggrams))
    network = build_words(shape, seed)
    with torch.no_grad():
        for parameter_name, parameter in network.named_parameters():
            if parameter.dim() > 1 and "embedding" not in parameter_name:
                parameter.mul_(loud)
    facts = {"scale": "test", "source": "simulated", "sha256": {}}
    return DnaZen(network, tokenizer, ggrams, WordsCard(name, seed, shape, BLOCK, facts))


def save_words(folder: Path, ggrams: bool = True, name: str = "toy", seed: int = 3) -> Path:
    """A model folder of such a network."""
    tokenizer = vocabulary()
    facts = {"tokenizer_sha256": None, "mining": MINING.model_dump(), "most_bp": 10**9}
    table = replace(mined(tokenizer), facts=facts) if ggrams else None
    words_model(tokenizer, table, seed, name).save(folder)
    return folder


def mine_slowly(
    rows: list[list[int]], least_word: int, settings: Mining
) -> dict[tuple[int, ...], int]:
    """G-grams by plain loops over dictionaries, with their counts; words from ``least_word`` on."""
    words: Counter[int] = Counter()
    pairs: Counter[tuple[int, int]] = Counter()
    for row in rows:
        words.update(one for one in row if one >= least_word)
        pairs.update(pair for pair in pairwise(row) if min(pair) >= least_word)
    total = sum(words.values())

    def linked(pair: tuple[int, int]) -> bool:
        if min(pair) < least_word:
            return False
        counts = words[pair[0]], words[pair[1]], pairs[pair]
        if min(counts) < settings.min_count:
            return False
        pmi = math.log(pairs[pair] * total / (words[pair[0]] * words[pair[1]]), settings.log_base)
        return pmi >= settings.threshold

    closed: Counter[tuple[int, ...]] = Counter()
    for row in rows:
        segment = row[:1]
        for one in [*row[1:], -1]:
            if linked((segment[-1], one)) and len(segment) < settings.max_tokens:
                segment.append(one)
            else:
                if len(segment) >= 2:
                    closed[tuple(segment)] += 1
                segment = [one]
    found = [one for one, count in closed.items() if count >= settings.min_count]
    counts = {}
    for one in found:
        counts[one] = sum(
            tuple(row[at : at + len(one)]) == one for row in rows for at in range(len(row))
        )
    return counts


def as_dict(table: GGrams) -> dict[tuple[int, ...], int]:
    """G-grams of a table and their counts."""
    rows = (tuple(row[row >= 0].tolist()) for row in table.tokens)
    return dict(zip(rows, table.counts.tolist(), strict=True))


def flat(rows: list[list[int]]) -> np.ndarray:
    """Rows as one array with breaks."""
    return with_breaks([np.array(row, dtype=np.int64) for row in rows])
