"""Models that come with the package: one folder here for each, opened by its name alone."""

from pathlib import Path

FOLDER = Path(__file__).parent


def shipped_models() -> dict[str, Path]:
    """Folders of the models that come with the package, by name."""
    return {path.parent.name: path.parent for path in sorted(FOLDER.glob("*/config.json"))}
