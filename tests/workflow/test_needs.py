"""What rules need: one default for each, which Snakemake and profiles can override."""

import re
from pathlib import Path

import yaml

from genezip.config import needs
from genezip.config.rules import FULL, OTHER


def rules(repo: Path) -> set[str]:
    found = (path.read_text() for path in (repo / "workflow" / "rules").glob("*.smk"))
    return {name for text in found for name in re.findall(r"^rule (\w+):", text, re.MULTILINE)}


def test_every_entry_is_a_rule_and_every_rule_takes_its_own(repo: Path) -> None:
    names = rules(repo)
    assert set(FULL) < names
    for path in (repo / "workflow" / "rules").glob("*.smk"):
        for block in re.split(r"^(?=rule )", path.read_text(), flags=re.MULTILINE)[1:]:
            name = re.match(r"rule (\w+):", block)[1]  # type: ignore[index]
            assert re.findall(r'needs\("(\w+)", SCALE\)', block).count(name) >= 1, name
            assert set(re.findall(r'needs\("(\w+)"', block)) == {name}
            assert "    log:\n" in block and "    benchmark:\n" in block, name
            assert "logged {log} " in block, name


def test_small_scales_train_on_cpus(repo: Path) -> None:
    assert needs("pretrain", "full").gpu == 1 and needs("pretrain", "full").threads == 8
    assert needs("pretrain", "full").environment == "genezip-gpu.yaml"
    assert needs("report", "full") == OTHER and OTHER.environment == "genezip.yaml"
    for name in rules(repo):
        for scale in ("demo", "test"):
            small = needs(name, scale)  # type: ignore[arg-type]
            assert (small.threads, small.gpu, small.environment) == (1, 0, "genezip.yaml")
            assert small.mem_mb <= needs(name, "full").mem_mb
            assert small.runtime <= needs(name, "full").runtime


def test_profiles_override_rules_that_exist(repo: Path) -> None:
    for path in (repo / "workflow" / "profiles").glob("*/profile.yaml"):
        profile = yaml.safe_load(path.read_text())
        for key in ("set-resources", "set-threads"):
            assert set(profile.get(key, {})) <= rules(repo), path
