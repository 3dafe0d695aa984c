"""Prepare the training of a network on words, and write its model folder."""

import math
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genezip.artifacts.files import sha256_file
from genezip.artifacts.folder import replaced_folder
from genezip.artifacts.provenance import versions
from genezip.config import WordsPretrain
from genezip.corpus.corpus import CorpusReader
from genezip.corpus.stream import WindowStream, prefetched
from genezip.errors import GenezipError
from genezip.models.bpe.compressor import BPE
from genezip.models.bpe.vocabulary import TOKENIZER, TOKENIZER_CONFIG
from genezip.models.dnazen.architecture import WordsArchitecture, load_words
from genezip.models.dnazen.compressor import DnaZen, WordsCard
from genezip.models.dnazen.ggrams import GGRAMS, GGrams
from genezip.models.dnazen.network import WordsNetwork, build_words
from genezip.models.pretrained import BEST, WEIGHTS, save_weights
from genezip.training.checkpoint import Checkpoint, TrainingState, discard
from genezip.training.curve import CURVE, open_curve
from genezip.training.fit import Schedule, fit
from genezip.training.objectives import validation_windows
from genezip.training.optimizer import build_adamw, pretraining_rate
from genezip.training.ranks import ALONE, Ranks
from genezip.training.words.objective import MaskedWords, WordRows, validation_batch

FILES = (WEIGHTS, BEST, "config.json", CURVE, "README.md", TOKENIZER, TOKENIZER_CONFIG, GGRAMS)
FREE = tuple(f"pretrain.{key}" for key in WordsPretrain.FREE)


@dataclass(frozen=True)
class WordsRun:
    """All inputs of a training on words."""

    name: str
    seed: int
    architecture: WordsArchitecture
    settings: WordsPretrain
    tokenizer: BPE
    ggrams: GGrams | None
    corpus_sha256: str
    windows: WindowStream
    valid: np.ndarray  # uint8 (n, L), validation windows; may be empty
    facts: dict[str, Any]

    def identity(self) -> dict[str, Any]:
        """Everything that must be equal to resume from a checkpoint, as plain values."""
        unused = set(WordsPretrain.UNUSED)
        return {
            "name": self.name,
            "seed": self.seed,
            "architecture": self.architecture.to_dict(),
            "pretrain": self.settings.model_dump(exclude=unused),
            "corpus_sha256": self.corpus_sha256,
            "tokenizer_sha256": self.tokenizer.sha256,
            "ggrams": None if self.ggrams is None else len(self.ggrams),
            "mining": {} if self.ggrams is None else dict(self.ggrams.facts),
        }

    def train(
        self, out: Path, checkpoints: Path, ranks: Ranks = ALONE, workers: int = 1
    ) -> dict[str, Any]:
        """Train and write the model folder ``out``; an interrupted run of it is resumed.

        The results are ``seconds`` of training and ``best_valid_word_bits``. Every process of
        ``ranks`` calls this. Errors are those of :func:`genezip.training.fit.fit`.
        """
        settings = self.settings
        rows = ranks.rows(settings.batch)
        checkpoint = Checkpoint(
            checkpoints, self.name, self.identity(), FREE, checkpoints / BEST, keep_previous=True
        )
        with ranks.together():
            checkpoints.mkdir(parents=True, exist_ok=True)
            device = ranks.device(settings.device)
            network = build_words(self.architecture, self.seed).to(device).train()
            share = self.windows.share(rows)
        objective = MaskedWords(
            name=self.name,
            label=f"{self.name} seed {self.seed}",
            module=network,
            model=ranks.parallel(network, torch.device(device)),
            settings=settings,
            valid=validation_batch(self.tokenizer, self.ggrams, self.valid, settings.mask_rate),
            ranks=ranks,
        )
        schedule = Schedule(
            steps=settings.steps,
            seed=self.seed,
            rate=lambda step: settings.learning_rate * pretraining_rate(step, settings),
            clip_norm=settings.clip_norm,
            validate_every=settings.validate_every if len(self.valid) else None,
            checkpoint_every=settings.checkpoint_every,
        )
        optimizer = build_adamw(network, settings, settings.betas)
        curve = partial(open_curve, checkpoints, classes=())
        with prefetched(share, workers) as windows:
            batches = WordRows(
                windows, self.tokenizer, self.ggrams, settings, self.seed, rows.start
            )
            state = fit(objective, batches, optimizer, schedule, checkpoint, ranks, curve)
        with ranks.together():
            if ranks.main:
                self._finish(network, state, ranks.world, out, checkpoints)
        return {"seconds": round(state.seconds, 1), "best_valid_word_bits": -state.best}

    def _finish(
        self,
        network: WordsNetwork,
        state: TrainingState,
        processes: int,
        out: Path,
        checkpoints: Path,
    ) -> None:
        """Write the model folder, all files together, then delete the checkpoints."""
        best, valid = -state.best, None
        if state.history:
            valid = {key: value for key, value in state.history[-1].items() if key != "step"}
        if not math.isfinite(best) or not (checkpoints / BEST).exists():
            save_weights(checkpoints / BEST, network)
        training = {
            "settings": self.settings.model_dump(exclude=set(WordsPretrain.UNUSED)),
            "corpus_sha256": self.corpus_sha256,
            "mining": None if self.ggrams is None else self.ggrams.facts.get("mining"),
            "processes": processes,
            "seconds": round(state.seconds, 1),
            "best_valid_word_bits": best if math.isfinite(best) else None,
            "valid": valid,
            "versions": versions(),
            **self.facts,
        }
        block_bp = self.tokenizer.block_bp
        card = WordsCard(self.name, self.seed, self.architecture, block_bp, training)
        with replaced_folder(out, FILES) as folder:
            shutil.copy(checkpoints / BEST, folder / BEST)
            shutil.copy(checkpoints / CURVE, folder / CURVE)
            DnaZen(network.cpu(), self.tokenizer, self.ggrams, card).save(folder)
        for name in (BEST, CURVE):
            (checkpoints / name).unlink(missing_ok=True)
        discard(checkpoints)


def prepare_words(
    *,
    corpus: Path,
    architecture: str,
    tokenizer: Path,
    ggrams: Path | None,
    settings: WordsPretrain,
    seed: int,
    name: str,
    scale: str,
) -> WordsRun:
    """Load and check all inputs of a training on words.

    ``tokenizer`` is the model folder of a vocabulary and ``ggrams`` a table of G-grams that was
    mined with it; None trains a network without G-grams.
    """
    words = BPE.from_pretrained(tokenizer)
    table = None if ggrams is None else GGrams.read(ggrams)
    if table is not None:
        table.check_tokenizer(words.sha256, words.vocabulary, str(tokenizer))
        if not len(table):
            raise GenezipError(
                f"{ggrams} has no G-grams; mine with a lower threshold or more DNA, or train "
                "without G-grams"
            )
    elif settings.masking != "token":
        raise GenezipError(
            f"masking is {settings.masking!r}, which hides whole G-grams; name a table with "
            "--ggrams, or set masking to token"
        )
    shape = load_words(architecture).sized(words.vocabulary, None if table is None else len(table))
    if table is not None and not shape.reads_ggrams:
        raise GenezipError(
            f"{architecture} has no G-gram encoder (ggram_layers is 0); leave --ggrams out"
        )
    reader = CorpusReader(corpus)
    windows = WindowStream(
        reader, settings.batch, seed, reverse_complement=settings.reverse_complement
    )
    if windows.window_bp % words.block_bp:
        raise GenezipError(
            f"windows of {windows.window_bp:,} bp are no multiple of the {words.block_bp:,} bp of "
            f"a block of {tokenizer}; set corpus.window_bp or block_bp"
        )
    valid, _ = validation_windows(reader, settings.validate_windows)
    facts = {
        "scale": scale,
        "source": reader.manifest["source"],
        "architecture": Path(architecture).stem,
        "tokenizer": words.name,
        "windows": {"train": windows.windows_per_epoch, "window_bp": windows.window_bp},
    }
    sha256 = sha256_file(corpus)
    return WordsRun(name, seed, shape, settings, words, table, sha256, windows, valid, facts)
