"""The context-mixing model against dictionaries of strings and a loop over bases."""

import math
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from toolkit.dna import random_dna

from genezip.alphabet import encode
from genezip.evaluation import mixing
from genezip.evaluation.mixing import MixingModel

ORDERS = (1, 2, 3, 11, 12, 16)
PLENTY = 1 << 22  # bases for which the tables have most cells, so that no contexts meet in one
PARTNER = dict(zip("ACGT", "TGCA", strict=True))


def reverse_complement(text):
    return "".join(PARTNER[base] for base in reversed(text))


class SlowModel:
    """The same model in words: contexts are strings, repeats are found by looking back."""

    def __init__(self, orders):
        self.orders = sorted(orders)
        self.counts = {k: defaultdict(lambda: dict.fromkeys("ACGT", 0)) for k in orders}
        self.weight = defaultdict(lambda: 0.15)
        self.shift = defaultdict(float)
        self.rate, self.trust = {}, defaultdict(lambda: 0.5)
        self.text = ""  # everything read, N between sequences
        self.ends = {}  # word of 16 bases -> place after its last occurrence
        self.repeats = [None, None]  # (place, hits, misses), direct and inverted

    def read(self, text):
        self.text, self.repeats = self.text + "N", [None, None]
        return [self.next_base(base) for base in text]

    def next_base(self, base):
        if base == "N":
            self.text, self.repeats = self.text + "N", [None, None]
            return 0.0
        before = self.text.rsplit("N", 1)[-1]
        self.text += base
        expected = [self.expected(strand) for strand in (0, 1)]
        level = max([0] + [1 + min(self.repeats[s][1] // 8, 4) for s in (0, 1) if expected[s]])
        score, active = dict.fromkeys("ACGT", 0.0), []
        for k in self.orders:
            cell = self.counts[k].get(before[len(before) - k :]) if len(before) >= k else None
            if cell:
                logs = {x: math.log(cell[x] + self.prior(k)) for x in "ACGT"}
                key = (k, self.state(k, cell))
                active.append((k, key, logs))
                for x in "ACGT":
                    score[x] += (self.weight[key] + self.shift[level, k]) * logs[x]
        kinds = [None, None]
        for strand in (0, 1):
            if expected[strand]:
                _, hits, misses = self.repeats[strand]
                kinds[strand] = kind = (min(hits // 2, 15), min(misses, 7))
                rate = self.rate.setdefault(kind, 0.3 + 0.65 * kind[0] / 15 * (1 - kind[1] / 10))
                score[expected[strand]] += self.trust[kind] * math.log(3 * rate / (1 - rate))
        norm = sum(map(math.exp, score.values()))
        p = {x: math.exp(score[x]) / norm for x in "ACGT"}
        for k, key, logs in active:
            slope = logs[base] - sum(p[x] * logs[x] for x in "ACGT")
            self.weight[key] += 0.002 * slope
            self.shift[level, k] += 0.001 * slope
        odds = [self.rate[kind] if kind else 0 for kind in kinds]
        for strand in (0, 1):
            self.follow(strand, expected[strand], base, p, kinds[strand], odds[strand])
        for k in self.orders:
            if len(before) >= k:
                self.count(k, before[len(before) - k :], base)
                turned = reverse_complement(before[len(before) - k :] + base)
                self.count(k, turned[:-1], turned[-1])
        self.begin_repeats(before + base)
        return -math.log(p[base])

    @staticmethod
    def prior(k):
        return 1.0 if k <= 11 else {12: 1 / 4, 13: 1 / 8}.get(k, 1 / 16)

    @staticmethod
    def state(k, cell):
        total, most = sum(cell.values()), max(cell.values())
        return int(math.log2(total)) if k <= 11 else (min(most, 7), min(total - most, 3))

    def count(self, k, context, base):
        cell = self.counts[k][context]
        if k > 11 and cell[base] == 15:
            for x in "ACGT":
                cell[x] //= 2
        cell[base] += 1
        if k <= 11 and cell[base] >= 4000:
            for x in "ACGT":
                cell[x] //= 2

    def expected(self, strand):
        if self.repeats[strand] is None:
            return None
        place = self.repeats[strand][0]
        base = self.text[place] if place >= 0 else "N"
        if base == "N":
            return None
        return base if strand == 0 else PARTNER[base]

    def follow(self, strand, expected, base, p, kind, rate):
        if expected is None:
            self.repeats[strand] = None
            return
        place, hits, misses = self.repeats[strand]
        hit = expected == base
        slope = math.log(3 * rate / (1 - rate)) * (hit - p[expected])
        self.trust[kind] += 0.002 * slope
        self.rate[kind] += 0.004 * (hit - self.rate[kind])
        if hit:
            hits += 1
            misses -= hits % 16 == 0 and misses > 0
        else:
            hits, misses = 0, misses + 1
        place += 1 if strand == 0 else -1
        self.repeats[strand] = (place, hits, misses) if misses <= 16 and place >= 0 else None

    def begin_repeats(self, run):
        if len(run) < 16:
            return
        text, end = self.text, len(self.text)
        for strand in (0, 1):
            word = run[-16:] if strand == 0 else reverse_complement(run[-16:])
            place = self.ends.get(word)
            if self.repeats[strand] is not None or place is None:
                continue
            same = 16
            while same < 32:
                ours = text[end - 1 - same]
                if strand == 0:
                    theirs = text[place - 1 - same] if place > same else "N"
                else:
                    inside = place - 16 + same < end
                    theirs = PARTNER.get(text[place - 16 + same], "N") if inside else "N"
                if ours == "N" or ours != theirs:
                    break
                same += 1
            self.repeats[strand] = (place if strand == 0 else place - 17, same, 0)
        self.ends[run[-16:]] = end


@pytest.fixture(scope="module")
def text():
    """Random bases with direct and inverted repeats, substitutions in them, and N."""
    rng = np.random.default_rng(7)
    unit = random_dna(120, rng)
    changed = unit[:40] + PARTNER[unit[40]] + unit[41:]
    filler = [random_dna(n, rng, p=[0.4, 0.1, 0.2, 0.3]) for n in (80, 60, 50)]
    low = "AC" * 40 + "A" * 60  # counts pass their limit
    return (
        unit + filler[0] + changed + "NN" + filler[1] + reverse_complement(changed) + low
        + filler[2] + "N" + unit[30:] + reverse_complement(low)
    )  # fmt: skip


def test_it_equals_a_model_of_strings(text):
    fast, slow = MixingModel(PLENTY, ORDERS), SlowModel(ORDERS)
    for part in (text, text[50:300], reverse_complement(text[:100])):
        found, expected = fast.read(encode(part)), slow.read(part)
        assert found == pytest.approx(expected, abs=1e-9)
    assert min(expected[40:]) < 0.2  # the repeat is recognised


def test_a_probability_depends_on_earlier_bases_alone(text):
    ids = encode(text)
    for changed in (90, 300, len(ids) - 1):
        other = ids.copy()
        other[changed] = encode("A" if text[changed] != "A" else "C")[0]
        first, second = (MixingModel(2000, ORDERS).read(one) for one in (ids, other))
        assert first[:changed].tolist() == second[:changed].tolist()
        assert first[changed] != second[changed]


def test_probabilities_of_the_four_bases_sum_to_one(text):
    model = MixingModel.fit([encode(text)], 2000, ORDERS)
    for context in ("", "A", text[20:60], reverse_complement(text[40:90])):
        nats = [model.score(encode(context + base))[-1] for base in "ACGT"]
        assert np.exp(-np.array(nats)).sum() == pytest.approx(1, abs=1e-12)


def test_a_scored_window_leaves_nothing_behind(text):
    ids = encode(text)
    one, other = (MixingModel.fit([ids], 500, ORDERS) for _ in range(2))
    window = encode(text[100:400] + "N" + text[:50])
    first = one.score(window)
    one.score(encode(reverse_complement(text[:200])))
    assert one.score(window).tolist() == first.tolist()
    # a window is read as the next sequence would be, and what comes later does not know of it
    assert other.read(window).tolist() == first.tolist()
    fresh = MixingModel.fit([ids], 500, ORDERS)
    assert one.read(ids[:99]).tolist() == fresh.read(ids[:99]).tolist()


def test_n_breaks_the_context_and_is_not_predicted(text):
    model = MixingModel.fit([encode(text)], 2000, ORDERS)
    whole = model.score(encode("ACGTTGCANNNN"))
    assert whole[-4:].tolist() == [0, 0, 0, 0]
    # with neither context nor repeat all bases are equally likely
    after = model.score(encode(text[:40] + "N" + text[200]))
    assert after[-1] == pytest.approx(math.log(4))


def test_a_sequence_in_blocks_is_read_as_one(text):
    ids = encode(text)
    whole, parts = (MixingModel(2000, ORDERS) for _ in range(2))
    blocks = [parts.read(ids[:123]), parts.read(ids[123:], continues=True)]
    assert np.concatenate(blocks).tolist() == whole.read(ids).tolist()


def test_full_counts_are_halved_together():
    full = 3999 << 32 | 7 << 16 | 2
    assert mixing._add_direct(full, 2) == 2000 << 32 | 3 << 16 | 1
    assert mixing._add_direct(full, 1) == full + (1 << 16)


def test_contexts_that_meet_in_a_cell_replace_each_other():
    """2^12 cells are too few for these bases; the loss still is finite and cells are put back."""
    ids = encode(random_dna(20_000, np.random.default_rng(0)))
    model = MixingModel.fit([ids], 1, (2, 14, 16))
    first = model.score(ids[:5000])
    assert np.isfinite(first).all()
    assert model.score(ids[:5000]).tolist() == first.tolist()
    assert model.memory_bytes < 3 << 20


def test_orders_out_of_range_are_refused():
    for orders in ((), (0, 2), (2, 25)):
        with pytest.raises(ValueError, match="orders must be between 1 and 24"):
            MixingModel(100, orders)


@pytest.mark.slow
def test_it_runs_where_nothing_can_be_written(tmp_path):
    """No place for compiled code: the functions are compiled for the process alone."""
    code = (
        "from numba.core import caching\n"
        "caching.CacheImpl._locator_classes = []\n"
        "import numpy as np\n"
        "from genezip.evaluation.mixing import MixingModel\n"
        "print(MixingModel(10, (1,)).read(np.full(9, 3, np.uint8))[-1] < 1.3)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.stdout.strip() == "True", done.stderr
