"""What the workflow finds wrong in a configuration, without starting it."""

from pathlib import Path

import pytest

from genezip.config import check_presets, parse_layers, read_yaml
from genezip.errors import GenezipError


def refusal(repo: Path, overlay: Path) -> str:
    """The sentence on a file laid over ``config/config.yaml``."""
    with pytest.raises(GenezipError) as refused:
        check_presets(
            parse_layers([read_yaml(repo / "config" / "config.yaml"), read_yaml(overlay)]), repo
        )
    return " ".join(str(refused.value).split())
