"""The presets: architectures (``genezip/config/models``), region budgets (``.../regions``) and
layouts of networks on words (``.../words``).

A preset is named without folder and ending, a file of the user by its path, which has a slash or
ends in ``.yaml``.
"""

from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from genezip.config.model import RegionPreset
from genezip.config.read import parse, read_yaml
from genezip.config.rules import beside_workflow
from genezip.config.run import Config
from genezip.errors import GenezipError

Kind = Literal["models", "regions", "words"]

FOLDER = Path(__file__).parent
CALLED = {
    "models": "an architecture",
    "regions": "a region budget",
    "words": "a layout of words",
}


def preset_files(kind: Kind, folder: Path | None = None) -> list[Path]:
    """YAML files of a folder, or by default of the presets of a kind, by name."""
    files = sorted((folder or FOLDER / kind).glob("*.yaml"))
    if not files:
        raise GenezipError(f"{folder} holds no preset (*.yaml); name a folder with some")
    return files


def of_user(name: str | Path) -> bool:
    """Whether a name is a path of the user, not a preset."""
    return Path(name).name != str(name) or Path(name).suffix == ".yaml"


def preset_file(kind: Kind, name: str | Path) -> Path:
    """File of a preset or of the user; an error names the nearest preset."""
    known = {path.stem: path for path in preset_files(kind)}
    if of_user(name) and beside_workflow(name).is_file():
        return beside_workflow(name)
    if str(name) in known:
        return known[str(name)]
    close = get_close_matches(Path(name).stem, known, 1)
    advice = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
    raise GenezipError(
        f"{name} is neither {CALLED[kind]} of genezip nor a YAML file; {advice} (genezip models "
        "lists them)"
    )


def read_preset(kind: Kind, name: str | Path) -> Any:
    """Plain values of a preset or of a file of the user."""
    return read_yaml(preset_file(kind, name))


def region_preset(name: str | Path) -> RegionPreset:
    """A region budget by name or path."""
    return parse(RegionPreset, read_preset("regions", name), str(name))


def _check_guided(name: str, guide: str | None, layout: Any) -> None:
    """Refuse a guided router without a guide, or the reverse."""
    routers = layout.get("router") if isinstance(layout, dict) else None
    guided = [kind for kind in routers or () if str(kind).startswith("guided_")]
    if guided and guide is None:
        raise GenezipError(
            f"models.{name}: the router {guided[0]} rearranges the tokens of a learned model; name "
            "it under guide"
        )
    if guide is not None and not guided:
        raise GenezipError(
            f"models.{name}.guide names {guide!r}, but its architecture has no router guided_even, "
            "guided_random or guided_shuffled; leave guide out, or choose such an architecture"
        )


def check_presets(config: Config, root: Path) -> None:
    """Raise if a preset or file of a model is missing, or a user class has no target.

    Relative paths of the user start at ``root``; ``config/...`` may be a file of the workflow.
    """
    for name, entry in config.networks().items():
        path = entry.architecture
        layout = read_preset("models", beside_workflow(path, root) if of_user(path) else path)
        _check_guided(name, entry.guide, layout)
        budget = entry.regions or entry.match_bpt
        if budget is None:
            continue
        targets = region_preset(
            beside_workflow(budget, root) if of_user(budget) else budget
        ).multipliers
        for found in config.regions.classes:
            if found.target_bpt is None and found.name not in targets:
                raise GenezipError(
                    f"models.{name}: the region class {found.name!r} has no target; set "
                    f"target_bpt in regions.classes, or a multiplier in the region preset {budget}"
                )
    for words in config.on_words().values():
        path = words.architecture
        read_preset("words", beside_workflow(path, root) if of_user(path) else path)
