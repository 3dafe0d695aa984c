"""Likelihood of sequences that differ from a reference in a few bases.

A knocked-out gene and every variant of a coding sequence begin as the reference does. A system that
streams can read what they share once and continue from a copy of its state at each change; this
pays for long sequences. Short ones are read as a whole, many in a batch, and so are those of a
system that does not stream. Both ways give the same numbers, up to rounding.

A system that predicts masked bases has no likelihood of a sequence. A substitution is scored by
the bases that it alters alone (:func:`masked_changes`), a pseudo-likelihood that is never compared
with exact ones.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, get_args, runtime_checkable

import numpy as np

from genezip.alphabet import A_ID, is_base, reverse_complement
from genezip.errors import GenezipError
from genezip.models.base import Compressor, Sequences, Stream, lacks
from genezip.models.compressed import Compressed, Likelihood, LikelihoodKind

KINDS: tuple[LikelihoodKind, ...] = get_args(LikelihoodKind)
"""Kinds of likelihood, from ``exact`` on; a number in this order is their code in a file."""

SHORT_BP = 2048
"""Up to this length a batch of whole sequences is faster on a CPU than a stream of each change."""


@dataclass(frozen=True)
class Change:
    """Bases of a reference that are replaced by as many others.

    ``ids`` are token ids, uint8 (k,), that stand at ``start`` to ``start + k`` of the reference.
    """

    start: int
    ids: np.ndarray


@dataclass(frozen=True)
class ChangedLikelihoods:
    """Log-probabilities of a reference of L bases and of changed copies of it.

    Attributes
    ----------
    reference : float32 array, shape (L,), natural log; NaN where a base is not predicted
    changed : float32 arrays, one per change
        Of the bases from ``start`` of the change on, shape (L - start,). In an exact likelihood
        no base before it has another probability than in the reference.
    before : float64 array, one number per change
        Change of the sum over the bases before ``start`` (nats): 0 for an exact likelihood.
    kind : of all of them; the weakest where they differ
    """

    reference: np.ndarray
    changed: list[np.ndarray]
    before: np.ndarray
    kind: LikelihoodKind

    def difference(self, number: int) -> np.ndarray:
        """Log-probability of the changed sequence minus that of the reference, base by base.

        It is a float64 array (L - start,) of the bases from the change on, 0 where neither
        sequence has a probability.
        """
        own = self.changed[number].astype(np.float64)
        reference = self.reference[len(self.reference) - len(own) :].astype(np.float64)
        return np.nan_to_num(own) - np.nan_to_num(reference)

    def total(self, number: int) -> float:
        """Log-likelihood of the changed sequence minus that of the reference (nats)."""
        return float(self.difference(number).sum() + self.before[number])


def require_likelihood(compressor: Compressor) -> None:
    """Refuse a system without likelihood, in one sentence."""
    if compressor.likelihood is None:
        lacks(compressor.name, "likelihood")


@runtime_checkable
class MaskedPredictor(Protocol):
    """A system that predicts masked bases from both sides, as LDARNet."""

    def masked_log_prob(
        self,
        sequences: Sequences,
        positions: Sequence[Sequence[int] | np.ndarray],
        together: bool = False,
    ) -> list[np.ndarray]:
        """Log-probabilities of A, C, G, T at masked positions, (len(positions), 4) each.

        With ``together`` all positions of a sequence are masked at once.
        """


def require_whole_likelihood(compressor: Compressor) -> None:
    """Refuse a system without a likelihood of whole sequences, in one sentence."""
    require_likelihood(compressor)
    if isinstance(compressor, MaskedPredictor):
        raise GenezipError(
            f"{compressor.name} predicts masked bases from both sides, so it has no likelihood of "
            "a whole sequence, which a knock-out needs; name a causal model"
        )


References = Sequence[tuple[np.ndarray, Sequence[Change]]]
"""References (token ids, uint8 (L,)), each with its changes."""


def changed_likelihoods(compressor: Compressor, references: References) -> list[ChangedLikelihoods]:
    """Log-probabilities of references and of their changed copies."""
    require_whole_likelihood(compressor)
    for reference, changes in references:
        _check_inside(reference, changes)
    longest = max((len(reference) for reference, _ in references), default=0)
    if longest > SHORT_BP and compressor.streams and compressor.likelihood == "exact":
        found = streamed_likelihoods(compressor, references)
        if found is not None:
            return found
    return whole_likelihoods(compressor, references)


def _check_inside(reference: np.ndarray, changes: Sequence[Change]) -> None:
    for change in changes:
        if not 0 <= change.start < change.start + len(change.ids) <= len(reference):
            raise GenezipError(
                f"a change of {len(change.ids)} bases at {change.start} is not inside the "
                f"reference of {len(reference):,} bases"
            )


@dataclass(frozen=True)
class MaskedChanges:
    """Pseudo-likelihood of each change minus that of the reference.

    Attributes
    ----------
    score : float64 array, shape (n,), nats; 0 for a change that alters no base, NaN for one of a
        base that is not A, C, G or T
    passes : number of masked sequences that were read
    """

    score: np.ndarray
    passes: int


def masked_changes(
    predictor: MaskedPredictor, reference: np.ndarray, changes: Sequence[Change]
) -> MaskedChanges:
    """Score substitutions, such as single-nucleotide variants or codons, from masked bases.

    All bases that a change alters are masked together, and no other. The score is the sum over
    them of log p(new base) - log p(old base), the mean over both strands.

    Parameters
    ----------
    reference : token ids, uint8 (L,)
    changes : of bases A, C, G and T
    """
    _check_inside(reference, changes)
    if not all(is_base(change.ids).all() for change in changes):
        raise GenezipError("a change has letters other than A, C, G and T; leave it out")
    at: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for number, change in enumerate(changes):
        own = reference[change.start : change.start + len(change.ids)]
        altered = change.start + np.flatnonzero(change.ids != own)
        at[tuple(altered.tolist())].append(number)
    at.pop((), None)
    places = [np.array(altered, dtype=np.int64) for altered in at]
    score = np.zeros(len(changes))
    last = len(reference) - 1
    for ids, mirrored in ((reference, False), (reverse_complement(reference), True)):
        here = [last - one if mirrored else one for one in places]
        tables = predictor.masked_log_prob([ids] * len(here), here, together=True)
        for altered, numbers, table in zip(places, at.values(), tables, strict=True):
            # bases in the order A, C, G, T; their complements are in the opposite order
            log_prob = np.asarray(table[:, ::-1] if mirrored else table, dtype=np.float64)
            rows = np.arange(len(altered))
            old = reference[altered]
            known = is_base(old).all()
            for number in numbers:
                new = changes[number].ids[altered - changes[number].start]
                gain = log_prob[rows, new - A_ID] - log_prob[rows, np.where(known, old - A_ID, 0)]
                score[number] += gain.sum() / 2 if known else np.nan
    return MaskedChanges(score, 2 * sum(map(len, places)))


def whole_likelihoods(compressor: Compressor, references: References) -> list[ChangedLikelihoods]:
    """:func:`changed_likelihoods` by reading every changed sequence as a whole."""
    copies = []
    for reference, changes in references:
        copies.append(reference)
        for change in changes:
            copy = reference.copy()
            copy[change.start : change.start + len(change.ids)] = change.ids
            copies.append(copy)
    read = iter(_likelihoods(compressor, copies))
    found = []
    for _, changes in references:
        own = next(read)
        found.append(_compared(own, [next(read) for _ in changes], changes))
    return found


def _likelihoods(compressor: Compressor, sequences: list[np.ndarray]) -> list[Likelihood]:
    """Likelihoods in batches where the system has them with its tokens, else one by one."""
    if compressor.likelihood == "exact" and max(map(len, sequences), default=0) <= SHORT_BP:
        found = [
            Likelihood(
                log_prob=one.log_prob,
                kind=one.likelihood,
                looked_ahead=np.zeros(0, dtype=bool),
                mode=one.mode,
            )
            for one in compressor.encode(sequences)
            if one.log_prob is not None and one.likelihood is not None
        ]
        if len(found) == len(sequences):
            return found
    return compressor.log_likelihood(sequences)


def _compared(
    own: Likelihood, others: Sequence[Likelihood], changes: Sequence[Change]
) -> ChangedLikelihoods:
    pairs = list(zip(others, changes, strict=True))
    before = [
        0.0 if one.kind == "exact" else _sum(one, change) - _sum(own, change)
        for one, change in pairs
    ]
    kind = max((one.kind for one in (own, *others)), key=KINDS.index)
    changed = [one.log_prob[change.start :] for one, change in pairs]
    return ChangedLikelihoods(own.log_prob, changed, np.array(before, dtype=np.float64), kind)


def _sum(likelihood: Likelihood, change: Change) -> float:
    """Sum over the bases before a change (nats)."""
    return float(np.nansum(likelihood.log_prob[: change.start], dtype=np.float64))


def streamed_likelihoods(
    compressor: Compressor, references: References
) -> list[ChangedLikelihoods] | None:
    """:func:`changed_likelihoods` from copies of streams; None where these are not exact."""
    found = [_streamed(compressor, *one) for one in references]
    exact = [one for one in found if one is not None]
    return exact if len(exact) == len(found) else None


def _streamed(
    compressor: Compressor, reference: np.ndarray, changes: Sequence[Change]
) -> ChangedLikelihoods | None:
    """The same from copies of one stream; None for a stream without exact log-probabilities."""
    parts = []
    changed: list[np.ndarray] = [np.zeros(0, dtype=np.float32)] * len(changes)
    for number, found in read_changed(compressor.stream(), reference, changes):
        if found.log_prob is None:
            return None
        if number is not None:
            changed[number] = found.log_prob
        elif found.likelihood != "exact":
            return None
        else:
            parts.append(found.log_prob)
    return ChangedLikelihoods(np.concatenate(parts), changed, np.zeros(len(changes)), "exact")


def read_changed(
    stream: Stream, reference: np.ndarray, changes: Sequence[Change]
) -> Iterator[tuple[int | None, Compressed]]:
    """Read a reference once, and from a copy of the stream at each change the changed rest of it.

    Yields (None, result) of consecutive stretches of the reference, and (number of the change,
    result of the bases from its start to the end of the reference), in order of place.
    """
    at: dict[int, list[int]] = defaultdict(list)
    for number, change in enumerate(changes):
        at[change.start].append(number)
    ends = [*sorted(at), len(reference)]
    for start, end in zip([0, *ends], ends, strict=False):
        if end > start:
            yield None, stream.feed(reference[start:end])
        for number in at.get(end, ()):
            ids = changes[number].ids
            rest = np.concatenate([ids, reference[end + len(ids) :]])
            yield number, stream.copy().feed(rest)
