"""Import of the authors' weights of LDARNet into a model folder of this package.

Known from the authors' code (github.com/darlednik/ICML-LDARNet at f247d595): the names and shapes
of all tensors, the order of rows in joined projections, the rows of the vocabulary (A, C, G, T, N,
MASK, padding), and that a checkpoint is a pickled dictionary with the tensors under ``model`` and
the configuration under ``config``. Not verified: no published file was opened, so whether the one
on the hub (darlednik/LDARNet-110M, ``model_ckpt_110m.pt``) holds a plain dictionary there is
unknown.

Two results differ from those of the authors' code on purpose. Both moving averages of de-chunking
begin with their first token alone and not with zero, and padding has no influence at all, while in
the release the bias of a convolution leaks from it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genezip.artifacts.files import sha256_file, write_text
from genezip.artifacts.folder import replaced_folder
from genezip.artifacts.provenance import versions
from genezip.errors import GenezipError
from genezip.models.genezip.release import README, check_finite, named_tensors, read_file
from genezip.models.genezip.release_names import EMBEDDING, converted, expected_shapes
from genezip.models.hnet.architecture import Architecture, architecture, load_architecture
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.hub import HubId, snapshot
from genezip.models.pretrained import CONFIG, WEIGHTS, ModelCard, mismatch, save_pretrained
from genezip.region_classes import CLASSES

FILES = ("model_ckpt_110m.pt", "model.safetensors")
PUBLISHED = ("ldarnet-110m", "ldarnet-2m")
TARGET_BPT = 4.0

# What each direction has for itself, below `mixer.fwd.` and `mixer.bwd.` in the release.
_OWN = {
    "conv1d.weight": "conv_weight",
    "conv1d.bias": "conv_bias",
    "dt_bias": "dt_bias",
    "A_log": "a_log",
    "D": "d",
    "norm.weight": "norm_weight",
}
# The projections that both directions share are stored twice.
_SHARED = ("in_proj.weight", "out_proj.weight")
_MAMBA = {
    "norm1.weight": "norm_weight",
    **{f"mixer.fwd.{name}": f"mixer.{name}" for name in _SHARED},
    **{f"mixer.fwd.{theirs}": f"mixer.ahead.{ours}" for theirs, ours in _OWN.items()},
    **{f"mixer.bwd.{theirs}": f"mixer.back.{ours}" for theirs, ours in _OWN.items()},
}
_ATTENTION = {
    "norm1.weight": "norm_weight",
    "mixer.Wqkv.weight": "mixer.in_proj.weight",
    "mixer.out_proj.weight": "mixer.out_proj.weight",
}
_GATED = {
    "norm2.weight": "mlp_norm_weight",
    "mlp.fc1.weight": "mlp.in_proj.weight",
    "mlp.fc2.weight": "mlp.out_proj.weight",
}
LAYERS = {
    "m": _MAMBA, "M": {**_MAMBA, **_GATED}, "t": _ATTENTION, "T": {**_ATTENTION, **_GATED},
}  # fmt: skip
"""Tensors of a block by its letter: name below ``layers.I.`` in the release, name here."""


def import_release(source: str | Path, out: str | Path, name: str | None = None) -> ModelCard:
    """Write a model folder from a checkpoint with the names of the release.

    No file is written if the source is missing, broken or of another model, or contradicts its
    configuration. Without a configuration the layout is the published one of the same width.

    Parameters
    ----------
    source : checkpoint, folder with one of :data:`FILES`, or hub id ``owner/name[@revision]``
    out : folder; an existing one must be empty or an imported model, which is replaced
    name : model name; by default that of the repository or folder
    """
    out = Path(out)
    path = locate(source)
    content = read_file(path)
    whole = isinstance(content, Mapping) and isinstance(content.get("model"), Mapping)
    state = named_tensors(content["model"] if whole else content, path)
    config = content.get("config") if whole else None
    shape = layout(state, config if isinstance(config, Mapping) else None, path)
    hub_id = HubId.parse(source)
    training: dict[str, Any] = {
        "scale": "full",
        "source": "imported",
        "imported_from": path.name,
        "source_sha256": sha256_file(path),
        **({"hub": {"id": hub_id.name, "commit": path.parent.name}} if hub_id else {}),
        "targets": f"{TARGET_BPT:g} bp per token everywhere, as published",
        "layout": "as published" if config is None else "config of the checkpoint",
        "versions": versions(),
    }
    by_default = hub_id.name.split("/")[1] if hub_id else path.resolve().parent.name
    targets = dict.fromkeys(CLASSES, TARGET_BPT)
    card = ModelCard(name or by_default, 0, shape, targets, training, "ldarnet")
    with torch.device("meta"):
        network = GeneZipNetwork(shape)
    network.load_state_dict(converted(state, shape, LAYERS), assign=True)
    # only an imported model may be replaced: other files would be lost
    replaced = (CONFIG, WEIGHTS, README) if (out / CONFIG).exists() else ()
    with replaced_folder(out, replaced) as folder:
        write_text(folder / README, _readme(card, network.count_parameters()))
        save_pretrained(folder, network, card)
    return card


def locate(source: str | Path) -> Path:
    """The checkpoint of a file, a folder or a hub id."""
    hub_id = HubId.parse(source)
    folder = Path(source) if hub_id is None else snapshot(hub_id, list(FILES))
    if folder.is_file():
        return folder
    found = [folder / name for name in FILES if (folder / name).is_file()]
    if not found:
        raise GenezipError(
            f"{source} holds no weights of LDARNet ({', '.join(FILES)}); name the file"
        )
    return found[0]


def layout(state: dict[str, Tensor], config: Mapping[str, Any] | None, path: Path) -> Architecture:
    """Layout of a checkpoint, after a check of every name, shape and value.

    The second copies of shared projections are removed from ``state``.
    """
    if EMBEDDING not in state or state[EMBEDDING].dim() != 2:
        raise GenezipError(
            f"{path} is no LDARNet of the release: it has no {EMBEDDING}; name another file"
        )
    if config is None:
        width = state[EMBEDDING].shape[1]
        presets = {shape.d_model[0]: shape for shape in map(load_architecture, PUBLISHED)}
        if width not in presets:
            raise GenezipError(
                f"{path} has no configuration, and its width {width} is of no published LDARNet "
                f"({', '.join(map(str, presets))}); take a checkpoint with its config"
            )
        shape = presets[width]
    else:
        shape = described(config, state, path)
    for copy, original in copies(shape):
        if copy in state and original in state and not torch.equal(state[copy], state[original]):
            raise GenezipError(
                f"{path} is another model: its {copy} differs from {original}, which both "
                "directions of LDARNet share; take the weights of its release"
            )
        state.pop(copy, None)
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    problem = mismatch(shapes, expected_shapes(shape, LAYERS))
    if problem is not None:
        raise GenezipError(
            f"{path} does not fit its layout: {problem}; take the weights of the LDARNet release"
        )
    check_finite(state, path)
    return shape


def copies(shape: Architecture) -> Iterator[tuple[str, str]]:
    """(second, first) name of every tensor that is stored twice."""
    for theirs in expected_shapes(shape, LAYERS):
        if theirs.endswith(tuple(f"mixer.fwd.{name}" for name in _SHARED)):
            yield theirs.replace(".mixer.fwd.", ".mixer.bwd."), theirs


def described(config: Mapping[str, Any], state: Mapping[str, Tensor], path: Path) -> Architecture:
    """Architecture of the configuration in a checkpoint; the heads of its scans are of the tensors.

    The keys are those of the authors' ``LDarConfig``: a nested ``arch_layout``, and values per
    level, in which a window of -1 sees all positions.
    """
    try:
        nested, encoders, decoders = config["arch_layout"], [], []
        while len(nested) == 3:
            encoders.append(nested[0])
            decoders.append(nested[2])
            nested = nested[1]
        mamba, attention = config["ssm_cfg"], config["attn_cfg"]
        inner = mamba["expand"] * config["d_model"][0]
        heads = next(value for name, value in state.items() if name.endswith("fwd.A_log"))
        values = {
            "d_model": config["d_model"],
            "encoder_layers": encoders,
            "trunk_layers": nested[0],
            "decoder_layers": decoders,
            "d_intermediate": [width or None for width in config["d_intermediate"]],
            "d_state": mamba["d_state"],
            "d_conv": mamba["d_conv"],
            "expand": mamba["expand"],
            "headdim": inner // len(heads),
            "attention_heads": attention["num_heads"],
            "rotary_dims": attention["rotary_emb_dim"],
            "attention_window": [None if one < 0 else one for one in attention["window_size"]],
            "vocab_size": config["vocab_size"],
            "bound": "none",
            "direction": "both",
            "head": "tied" if config["tie_embeddings"] else "untied",
        }
    except (KeyError, TypeError, ValueError, IndexError, StopIteration) as error:
        raise GenezipError(
            f"{path} has a configuration that is no LDarConfig ({error!r}); take a checkpoint of "
            "the LDARNet release"
        ) from None
    return architecture(values, str(path))


def _readme(card: ModelCard, parameters: int) -> str:
    """Markdown model card."""
    training = card.training
    hub = training.get("hub")
    where = f" of `{hub['id']}` at commit `{hub['commit']}`" if hub else ""
    return f"""# {card.name}

LDARNet (arXiv 2606.04552): {parameters:,} parameters, trained by its authors and imported from
`{training["imported_from"]}`{where} (sha256 `{training["source_sha256"]}`). It was not trained or
scored by this package. Target: {training["targets"]}.

```python
import genezip as gz

model = gz.load("path/to/this/folder")
(z,) = model.encode(["ACGT" * 1000])
z.tokens, z.chunk_bp, z.boundary_prob
```

`config.json` holds architecture, targets, the origin of the weights and versions.
"""
