"""The tokenizer: splitting of DNA before byte-pair encoding, fitting, and its files.

``tokenizer.json`` is complete, so any program that opens it (such as ``transformers``) gives the
same ids for the same text as this package:

- letters of any case, U as T, and ambiguity codes as N, as in :mod:`genezip.alphabet`;
- a cut at every multiple of ``block_bp`` bases: words may depend on all bases of their block, but
  not on other blocks, so blocks can be encoded one by one;
- within a block a run of N is one token, ``[UNK]``, and no word extends over it;
- within the stretches between, byte-pair encoding: of all neighbouring pairs the one that was
  merged first when the vocabulary was fitted is merged first, the leftmost first.

Sources: Sennrich et al. 2016 (byte-pair encoding of words); DNABERT-2 (arXiv 2306.15006) for 4,096
tokens of DNA and for the special tokens.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers, trainers
from tokenizers.models import BPE

from genezip.alphabet import BASES, decode
from genezip.artifacts.files import write_json, write_text
from genezip.errors import GenezipError

TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
UNKNOWN = "[UNK]"
SPECIAL = {
    "unk_token": UNKNOWN,
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "mask_token": "[MASK]",
}
"""Tokens that are no words, ids 0 to 4; all but the first are for models on this vocabulary."""

MIN_COUNT = 2  # a pair that occurs once is no word
MAX_BLOCK_BP = 100_000  # largest count that a regular expression may have


def empty_tokenizer(block_bp: int) -> Tokenizer:
    """A tokenizer without words, with blocks of ``block_bp`` bases (1 to 100,000)."""
    tokenizer = Tokenizer(BPE(unk_token=UNKNOWN, fuse_unk=True))
    upper = [("[aA]", "A"), ("[cC]", "C"), ("[gG]", "G"), ("[tTuU]", "T")]
    ambiguous = ("[RYSWKMBDHVNryswkmbdhvn]", "N")
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(Regex(letters), base) for letters, base in (*upper, ambiguous)]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(f"[\\s\\S]{{1,{block_bp}}}"), "isolated"),
            pre_tokenizers.Split(Regex("N+"), "isolated"),
        ]
    )
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


def cuts_blocks(tokenizer: Tokenizer, block_bp: int) -> bool:
    """Whether a tokenizer splits DNA as :func:`empty_tokenizer` does, with this block length."""
    if not 1 <= block_bp <= MAX_BLOCK_BP or tokenizer.pre_tokenizer is None:
        return False
    found, wanted = (
        json.loads(one.to_str())["pre_tokenizer"] for one in (tokenizer, empty_tokenizer(block_bp))
    )
    return bool(found == wanted)


def fit_tokenizer(sequences: Iterable[np.ndarray], vocabulary: int, block_bp: int) -> Tokenizer:
    """Fit a vocabulary; equal sequences give equal tokenizers with any number of threads.

    Sequences, uint8 token ids, are read once; each base needs about 100 bytes of memory. A
    vocabulary has at least 9 token ids, special ones included, and a block 1 to 100,000 bases.
    """
    tokenizer = empty_tokenizer(block_bp)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=MIN_COUNT,
        special_tokens=list(SPECIAL.values()),
        initial_alphabet=list(BASES.decode()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_stretches(sequences), trainer)
    found = tokenizer.get_vocab_size()
    if found < vocabulary:
        raise GenezipError(
            f"the training DNA has only {found:,} of {vocabulary:,} tokens; choose a smaller "
            "vocabulary, or fit it on more bases"
        )
    return tokenizer


def _stretches(sequences: Iterable[np.ndarray]) -> Iterator[str]:
    """Text without N, which must not become a word: it would no longer be unknown."""
    for ids in sequences:
        yield from re.findall("[ACGT]+", decode(ids).decode())


def save_tokenizer(folder: Path, tokenizer: Tokenizer) -> None:
    """Write ``tokenizer.json`` and, for ``transformers``, ``tokenizer_config.json``."""
    write_text(folder / TOKENIZER, tokenizer.to_str(pretty=True) + "\n")
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **SPECIAL,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 10**30,  # no limit, as transformers writes it
    }
    write_json(folder / TOKENIZER_CONFIG, config)


def read_tokenizer(path: Path) -> Tokenizer:
    """Read ``tokenizer.json``."""
    try:
        return Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # the package raises plain exceptions
        raise GenezipError(
            f"{path} is no tokenizer ({error}); copy the model folder again or fit it again"
        ) from None
