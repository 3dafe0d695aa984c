"""The tokenizer: how DNA is cut before words are sought in it, fitting, and its files.

Everything stands in ``tokenizer.json``, so whatever opens that file (``transformers`` does) gives
the same ids for the same text as this package:

- letters of any case, U as T, and ambiguity codes as N, as :mod:`genezip.alphabet` has them;
- a cut at every multiple of ``block_bp`` bases, because the words of a block may depend on all of
  its bases: blocks can be encoded one by one, and what follows a block changes nothing in it;
- within a block a run of N is one token, ``[UNK]``, and no word reaches over it;
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
"""Tokens that are no words, ids 0 to 4; all but the first are for models that build on this one."""

SMALLEST = len(SPECIAL) + len(BASES)
MIN_COUNT = 2  # a pair that is seen once is no word
MAX_BLOCK_BP = 100_000  # the longest repetition that the pattern of the cut may have


def empty_tokenizer(block_bp: int) -> Tokenizer:
    """A tokenizer that cuts as described above and knows no word yet.

    Parameters
    ----------
    block_bp : bases of a block, 1 to 100,000
    """
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
    """Whether a tokenizer cuts DNA as described above, into blocks of ``block_bp`` bases."""
    if not 1 <= block_bp <= MAX_BLOCK_BP or tokenizer.pre_tokenizer is None:
        return False
    own, wanted = (
        json.loads(one.to_str())["pre_tokenizer"] for one in (tokenizer, empty_tokenizer(block_bp))
    )
    return bool(own == wanted)


def fit_tokenizer(sequences: Iterable[np.ndarray], vocabulary: int, block_bp: int) -> Tokenizer:
    """Fit a vocabulary; the same sequences give the same tokenizer, whatever the threads.

    Parameters
    ----------
    sequences : uint8 arrays of token ids
        Read once; about 100 bytes of memory are needed for each base of them.
    vocabulary : number of token ids, special ones included; at least 9
    block_bp : bases of a block, 1 to 100,000

    Raises
    ------
    GenezipError
        If the sequences do not have so many words.
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
    """Text without N: a letter of its own would be a word, and then N no longer unknown."""
    for ids in sequences:
        yield from re.findall("[ACGT]+", decode(ids).decode())


def save_tokenizer(folder: Path, tokenizer: Tokenizer) -> None:
    """Write ``tokenizer.json`` and, for ``transformers``, ``tokenizer_config.json``."""
    write_text(folder / TOKENIZER, tokenizer.to_str(pretty=True) + "\n")
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **SPECIAL,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 10**30,  # as transformers writes: there is no limit
    }
    write_json(folder / TOKENIZER_CONFIG, config)


def read_tokenizer(path: Path) -> Tokenizer:
    """Read ``tokenizer.json``.

    Raises
    ------
    GenezipError
        If the file cannot be read as a tokenizer.
    """
    try:
        return Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # the package raises plain exceptions
        raise GenezipError(
            f"{path} is no tokenizer ({error}); copy the model folder again or fit it again"
        ) from None
