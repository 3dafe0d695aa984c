"""``hydra_cfg.yaml``, the configuration beside weights of the release.

The file has unresolved references (``model_cfg: ${_model_lookup...}``), which are followed here for
the values that are needed; no other syntax of Hydra is supported.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genezip.artifacts.files import sha256_file
from genezip.config import read_yaml
from genezip.errors import GenezipError
from genezip.models.hnet.architecture import Architecture, layers_text
from genezip.region_classes import CLASSES

NAME = "hydra_cfg.yaml"
_REFERENCE = re.compile(r"\$\{([^${}]*)\}")
_DEEPEST = 20  # depth of references to references; more is taken as a cycle


@dataclass(frozen=True)
class ReleaseConfig:
    """A configuration of the release."""

    path: Path
    values: dict[str, Any]

    def get(self, key: str) -> Any:
        """Value of a dotted key with references resolved; None if the key is absent."""
        return self._at(key, 0)

    def _at(self, key: str, depth: int) -> Any:
        node: Any = self.values
        for part in key.split("."):
            node = self._follow(node, depth) if isinstance(node, str) else node
            if not isinstance(node, dict) or part not in node:
                return None
            node = node[part]
        return self._follow(node, depth)

    def _follow(self, node: Any, depth: int) -> Any:
        if isinstance(node, list):
            return [self._follow(item, depth) for item in node]
        while isinstance(node, str) and (match := _REFERENCE.search(node)):
            found = self._at(match[1], depth + 1) if depth < _DEEPEST else None
            if found is None:
                raise GenezipError(
                    f"{self.path} refers to {match[0]}, which has no value in this file; "
                    "write the value in its place"
                )
            whole = match[0] == node
            node = found if whole else node[: match.start()] + str(found) + node[match.end() :]
        return node

    def model(self, key: str) -> Any:
        """A key of the model: under ``model_cfg``, else ``model.config``, else at the top."""
        for section in ("model_cfg.", "model.config.", ""):
            value = self.get(section + key)
            if value is not None:
                return value
        return None

    def check(self, shape: Architecture) -> None:
        """Refuse weights whose layout differs from this configuration in any key."""
        for key, found in described(shape).items():
            value = self.model(key)
            if value is not None and value != found:
                raise GenezipError(
                    f"{self.path} has {key}: {value}, but the tensors have {found}; "
                    "take weights and configuration of the same checkpoint"
                )

    def bounds(self, stages: int) -> dict[str, list[int | None]]:
        """``k_min`` and ``k_max`` per stage for :class:`Architecture`; 0 becomes None."""
        found: dict[str, list[int | None]] = {}
        for ours, theirs, switch in (
            ("k_min", "k_min_list", "use_routing_floor"),
            ("k_max", "k_max_list", "use_routing_ceiling"),
        ):
            values = self.model(theirs)
            if values is None or self.get(switch) is False:
                found[ours] = [None] * stages
                continue
            if not isinstance(values, list) or len(values) < stages:
                raise GenezipError(
                    f"{self.path} has {theirs}: {values}; it needs one number for each of "
                    f"{stages} stages"
                )
            found[ours] = [self._count(theirs, value) for value in values[:stages]]
        return found

    def _count(self, key: str, value: Any) -> int | None:
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value if value and value > 0 else None
        raise GenezipError(f"{self.path} has {key} with {value!r}; write whole numbers")

    def target_bpt(self) -> dict[str, float] | None:
        """Target BPT of every region class, ``bp_per_token`` times its multiplier.

        Without ``region_info`` the model is a uniform H-Net with ``bp_per_token`` for every class;
        without ``bp_per_token`` the result is None.
        """
        base, regions = self.get("bp_per_token"), self.get("region_info")
        if base is None:
            return None
        if not isinstance(base, int | float) or base <= 0:
            raise GenezipError(f"{self.path} has bp_per_token: {base!r}; write a number above 0")
        if regions is None:
            return dict.fromkeys(CLASSES, float(base))
        parts = re.findall(r"([a-z]+)([0-9.]+)(?:_|$)", str(regions))
        multipliers = dict(parts)
        rebuilt = "_".join(name + number for name, number in parts)
        if rebuilt != regions or len(parts) != len(CLASSES) or set(multipliers) != set(CLASSES):
            raise GenezipError(
                f"{self.path} has region_info: {regions}; write every class once with its "
                "multiplier, as in promoter1_cds1_utr2_exon2_intron8_nig8_dig16"
            )
        return {name: base * float(multipliers[name]) for name in CLASSES}

    def facts(self) -> dict[str, Any]:
        """Values to record: routing, targets, training length, and the hash of the file."""
        keys = ("region_info", "bp_per_token", "alpha", "max_len")
        found = {key: self.get(key) for key in keys}
        return {**found, "sha256": sha256_file(self.path)}


def described(shape: Architecture) -> dict[str, Any]:
    """A layout in the keys and values of the release."""
    arch: list[Any] = [layers_text(shape.trunk_layers)]
    for s in reversed(range(shape.n_stages)):
        encoder, decoder = shape.encoder_layers[s], shape.decoder_layers[s]
        arch = [layers_text(encoder), arch, layers_text(decoder)]
    return {
        "arch_layout": arch,
        "d_model": list(shape.d_model),
        "vocab_size": shape.vocab_size,
        "tie_embeddings": True,
        "ssm_cfg.d_state": shape.d_state,
        "ssm_cfg.d_conv": shape.d_conv,
        "ssm_cfg.expand": shape.expand,
        "ssm_cfg.head_dim": shape.headdim,
    }


def home(weights: Path) -> Path:
    """The folder of a model: that of its weights, or the parent of a checkpoint folder."""
    folder = weights.parent
    inside = re.fullmatch(r"last-checkpoint|checkpoint-\d+", folder.name)
    return folder.parent if inside else folder


def read_beside(weights: Path) -> ReleaseConfig | None:
    """The configuration in the folder of the weights, or in the parent of a checkpoint folder."""
    for folder in (weights.parent, home(weights)):
        path = folder / NAME
        if path.is_file():
            values = read_yaml(path)
            if not isinstance(values, dict):
                raise GenezipError(f"{path} is no mapping of keys; take the file of the release")
            return ReleaseConfig(path, values)
    return None
