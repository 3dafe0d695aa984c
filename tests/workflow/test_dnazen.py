"""Networks on words: what is planned, and a whole run of them."""

import re
from pathlib import Path

import pandas as pd
import pytest
from toolkit.configurations import refusal
from toolkit.snakemake_runs import jobs_of, snakemake

OVERLAY = """
corpora:
  sim: {window_bp: 1024}
models:
  genezip-tiny: null
  hnet-tiny: null
  bpe: {compressor: bpe, vocabulary: 64, block_bp: 256, bases: 100000}
  plain: {compressor: dnazen, architecture: dnazen-tiny, tokenizer: bpe, ggrams: null}
  phrases: {compressor: dnazen, architecture: dnazen-tiny, tokenizer: bpe, seeds: [0, 1],
            ggrams: {threshold: 0.5}}
  random: {compressor: dnazen, architecture: dnazen-tiny, tokenizer: bpe,
           ggrams: {threshold: 0.5, random: true}}
pretrain: {steps: 10, warmup_steps: 1}
words: {bootstrap: 50, block_bp: 16384, heldout_bp: 20000, thresholds: [0.5, 1]}
compress: {causal_bound: false, both_strands: false}
report: {reference: phrases, control: plain}
"""


def arguments(repo: Path, folder: Path, own: str = OVERLAY) -> list[str | Path]:
    """Options of the workflow at test size with the models above."""
    (folder / "words.yaml").write_text(own)
    layers = [repo / "config" / "config.yaml", repo / "tests" / "workflow" / "config.yaml"]
    call: list[str | Path] = ["--snakefile", repo / "workflow" / "Snakefile", "--cores", "2"]
    return [*call, "--configfile", *layers, folder / "words.yaml", "--"]


def test_each_network_is_measured_beside_one_set_of_floors(repo: Path, tmp_path: Path) -> None:
    """Seeds 0 and 1 of one model; a model without G-grams mines none; all on one vocabulary."""
    done = snakemake(tmp_path, "-n", "-p", *arguments(repo, tmp_path), "all")
    assert done.returncode == 0, done.stdout[-3000:]
    jobs = jobs_of(done.stdout)
    assert (jobs["pretrain_words"], jobs["masked_words"], jobs["word_floors"]) == (4, 4, 1)
    assert (jobs["ggrams"], jobs["word_vocabulary"], jobs["bpe_tokens"]) == (3, 1, 1)
    assert "pretrain" not in jobs and "/causal/" not in done.stdout
    trained = re.findall(r"genezip pretrain-words .*--name (\S+).*", done.stdout)
    assert sorted(trained) == ["phrases", "phrases", "plain", "random"]
    (plain,) = re.findall(r"genezip pretrain-words .*--name plain.*", done.stdout)
    assert "--ggrams" not in plain and '"masking": "token"' in plain
    (own,) = re.findall(r"genezip evaluate masked-words .*phrases.seed0.*", done.stdout)
    assert "--against results/words/plain.seed0.parquet" in own
    (other,) = re.findall(r"genezip evaluate masked-words .*phrases.seed1.*", done.stdout)
    assert "--against" not in other, "the model without G-grams has no seed 1"


def test_other_thresholds_and_ways_of_masking_are_settings(repo: Path, tmp_path: Path) -> None:
    """Token masking, expand, and the threshold of the released code, each a model of its own."""
    own = OVERLAY.replace(
        "pretrain: {steps: 10",
        "  token: {compressor: dnazen, architecture: dnazen-tiny, tokenizer: bpe,\n"
        "          pretrain: {masking: token}}\n"
        "  expand: {compressor: dnazen, architecture: dnazen-tiny, tokenizer: bpe,\n"
        "           pretrain: {masking: expand}}\n"
        "  released: {compressor: dnazen, architecture: dnazen-285m, tokenizer: bpe,\n"
        "             ggrams: {threshold: 5, min_count: 3, log_base: 2}}\n"
        "pretrain: {steps: 10",
    )
    done = snakemake(tmp_path, "-n", "-p", *arguments(repo, tmp_path, own), "all")
    assert done.returncode == 0, done.stdout[-3000:]
    for name, words in (("token", '"masking": "token"'), ("expand", '"masking": "expand"')):
        (one,) = re.findall(rf"genezip pretrain-words .*--name {name} .*", done.stdout)
        assert words in one and "--ggrams" in one
    mined = re.findall(r"genezip tokenizer ggrams .*released.*", done.stdout)
    assert '"threshold": 5.0' in mined[0] and '"min_count": 3' in mined[0]


@pytest.mark.parametrize(
    ("models", "sentence"),
    [
        ("a: {compressor: dnazen, architecture: dnazen-tiny, tokenizer: none}", "no bpe in models"),
        ("a: {compressor: dnazen, architecture: dnazen-tiny}", "tokenizer' is missing"),
        ("a: {compressor: dnazen, architecture: tiny, tokenizer: bpe}", "dnazen-tiny"),
        (
            "a: {compressor: dnazen, architecture: dnazen-tiny, tokenizer: bpe, ggrams: null, "
            "pretrain: {masking: span}}",
            "without G-grams single tokens are masked",
        ),
        (
            "a: {compressor: dnazen, architecture: dnazen-tiny, tokenizer: bpe, "
            "ggrams: {treshold: 3}}",
            "treshold",
        ),
        (
            "a: {compressor: dnazen, architecture: dnazen-tiny, tokenizer: bpe, "
            "pretrain: {masking: words}}",
            "masking",
        ),
    ],
)
def test_a_wrong_entry_is_one_sentence(
    repo: Path, tmp_path: Path, models: str, sentence: str
) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(f"models:\n  bpe: {{compressor: bpe}}\n  {models}\n")
    assert sentence in refusal(repo, path)


def test_make_dnazen_has_three_arms(repo: Path, tmp_path: Path) -> None:
    """Words alone, mined and random phrases, three seeds each; probes on four sets of GUE."""
    layers = [repo / "config" / f"{name}.yaml" for name in ("config", "demo", "dnazen")]
    done = snakemake(
        tmp_path, "--snakefile", repo / "workflow" / "Snakefile", "-n", "-p", "--cores", "2",
        "--configfile", *layers, "--", "all",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    jobs = jobs_of(done.stdout)
    assert jobs["pretrain_words"] == 9 and jobs["masked_words"] == 9
    masking = re.findall(r'genezip pretrain-words .*"masking": "(\w+)"', done.stdout)
    assert sorted(masking) == ["span"] * 6 + ["token"] * 3
    (fetched,) = re.findall(r"genezip labels fetch.*", done.stdout)
    assert "classification" in fetched and "mouse" not in done.stdout


def test_other_arms_are_a_configuration(repo: Path, tmp_path: Path) -> None:
    """Token masking, expand, two thresholds, DNA without repeats: one network and table each."""
    names = ("config", "demo", "dnazen", "dnazen-arms")
    layers = [repo / "config" / f"{name}.yaml" for name in names]
    done = snakemake(
        tmp_path, "--snakefile", repo / "workflow" / "Snakefile", "-n", "-p", "--cores", "2",
        "--configfile", *layers, "--", "all",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    assert jobs_of(done.stdout)["pretrain_words"] == 14
    for name, way in (("token", "token"), ("expand", "expand"), ("5", "span"), ("unique", "span")):
        (one,) = re.findall(rf"genezip pretrain-words .*--name dnazen-{name} .*", done.stdout)
        assert f'"masking": "{way}"' in one
    mined = "\n".join(re.findall(r"genezip tokenizer ggrams .*", done.stdout))
    assert '"threshold": 5.0' in mined and '"without_repeats": true' in mined


@pytest.mark.slow
def test_words_from_genome_to_report(repo: Path, tmp_path: Path) -> None:
    """Trained, compressed, measured, and on the page; a second call does nothing."""
    call = arguments(repo, tmp_path)
    done = snakemake(tmp_path, "--directory", tmp_path, *call, "all", timeout=900)
    assert done.returncode == 0, done.stdout[-6000:]
    for log in (tmp_path / "logs").rglob("*.log"):
        assert "Traceback" not in log.read_text(), log
    results = tmp_path / "results"
    table = pd.read_csv(results / "compress" / "compression.tsv", sep="\t")
    assert "bpt" in set(table.loc[table["model"] == "phrases", "metric"])
    own = pd.read_csv(results / "words" / "phrases.seed0.tsv", sep="\t")
    assert {"word_bits", "ggrams_per_block", "word_bits_difference"} <= set(own["metric"])
    counted = pd.read_csv(results / "words" / "phrases.vocabulary.tsv", sep="\t")
    assert counted["threshold"].tolist() == [0.5, 1]
    page = (results / "report.html").read_text(encoding="utf-8")
    assert 'id="words"' in page and "bits per masked word" in page
    assert (results / "tracks" / "phrases.seed0" / "igv_session.xml").exists()
    again = snakemake(tmp_path, "--directory", tmp_path, *call, "all")
    assert "Nothing to be done" in again.stdout
