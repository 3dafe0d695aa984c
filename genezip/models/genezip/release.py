"""Import of the release's weights into a model folder of this package.

Every name and shape is checked, the layout is read from the tensors and compared with the
configuration beside them, and values that neither has are those of the paper, which is recorded.
"""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from genezip.alphabet import VOCAB_SIZE
from genezip.artifacts.files import sha256_file, write_text
from genezip.artifacts.folder import replaced_folder
from genezip.artifacts.provenance import versions
from genezip.errors import GenezipError
from genezip.models.genezip.release_config import NAME as CONFIG_NAME
from genezip.models.genezip.release_config import ReleaseConfig, home, read_beside
from genezip.models.genezip.release_names import EMBEDDING, HEAD, converted, expected_shapes, layout
from genezip.models.hnet.architecture import Architecture, architecture
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.hub import HubId, snapshot
from genezip.models.pretrained import CONFIG, WEIGHTS, ModelCard, mismatch, save_pretrained
from genezip.region_classes import CLASSES, GENE7, LABELS

README = "README.md"

# Values of the paper for weights without a configuration.
PUBLISHED_FLOOR = 8
PUBLISHED_BPT = dict(zip(CLASSES, (32.0, 32.0, 64.0, 64.0, 256.0, 256.0, 512.0), strict=True))

VOCABULARY = (
    "ids are those of the release's pretraining: padding 0, A C G T = 3 4 5 6, N = 7; "
    "embedding rows are taken as they are"
)


def import_release(
    source: str | Path,
    out: str | Path,
    name: str | None = None,
    target_bpt: Mapping[str, float] | None = None,
) -> ModelCard:
    """Write a model folder from weights with the names of the release.

    No file is written if the source is missing, broken or of another model, or contradicts its
    configuration or ``target_bpt``.

    Parameters
    ----------
    source : weight file, folder with one, or hub id ``owner/name[@revision]``
    out : folder; an existing one must be empty or an imported model, which is replaced
    name : model name; by default that of the repository or folder
    target_bpt : target of every region class (bp per token), for weights without
        ``hydra_cfg.yaml``; by default transcript-balanced with base 32
    """
    out = Path(out)
    path = locate(source)
    config = read_beside(path)
    state = read_state_dict(path)
    shape = _layout(state, path, config)
    targets, targets_from = _targets(config, target_bpt)
    hub_id = HubId.parse(source)
    training: dict[str, Any] = {
        "scale": "full",
        "source": "imported",
        "imported_from": path.relative_to(home(path)).as_posix(),  # no path of this computer
        "source_sha256": sha256_file(path),
        **({"hub": {"id": hub_id.name, "commit": home(path).name}} if hub_id else {}),
        "targets": targets_from,
        "bounds": "hydra_cfg.yaml" if config else f"assumed: floor {PUBLISHED_FLOOR}, no ceiling",
        "hydra_cfg": config.facts() if config else None,
        "vocabulary": VOCABULARY,
        "embedding_rows": list(range(VOCAB_SIZE)),
        "versions": versions(),
    }
    by_default = hub_id.name.split("/")[1] if hub_id else home(path.resolve()).name
    card = ModelCard(name or by_default, 0, shape, targets, training)
    with torch.device("meta"):
        network = GeneZipNetwork(shape)
    network.load_state_dict(converted(state, shape), assign=True)
    # only an imported model may be replaced: other files would be lost
    replaced = (CONFIG, WEIGHTS, README) if (out / CONFIG).exists() else ()
    with replaced_folder(out, replaced) as folder:
        write_text(folder / README, _readme(card, network.count_parameters()))
        save_pretrained(folder, network, card)
    return card


def _layout(state: dict[str, Tensor], path: Path, config: ReleaseConfig | None) -> Architecture:
    """Layout of a state dict, after a check of every name, shape and value."""
    head = state.pop(HEAD, None)
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    found = layout(shapes, str(path))
    stages = len(found["encoder_layers"])
    if config is None:
        bounds: dict[str, Any] = {"k_min": [PUBLISHED_FLOOR] * stages, "k_max": [None] * stages}
    else:
        bounds = config.bounds(stages)
    # 64 positions per chunk are fastest in plain PyTorch and do not affect the result
    where = str(config.path if config else path)
    shape = architecture({**found, **bounds, "ssd_chunk": 64}, where)
    problem = mismatch(shapes, expected_shapes(shape))
    if problem is not None:
        raise GenezipError(
            f"{path} does not fit the layout of its other tensors: {problem}; "
            "take the weights of a GeneZip release"
        )
    if head is not None and not torch.equal(head, state[EMBEDDING]):
        raise GenezipError(
            f"{path} is another model: its {HEAD} differs from {EMBEDDING}, which GeneZip repeats; "
            "take the weights of a GeneZip release"
        )
    check_finite(state, path)
    if config is not None:
        config.check(shape)
    return shape


def check_finite(state: Mapping[str, Tensor], path: Path) -> None:
    """Refuse values that are not finite."""
    for key, value in state.items():
        if not value.isfinite().all():
            raise GenezipError(
                f"{path} holds {key} with values that are not finite; take another checkpoint"
            )


def _targets(
    config: ReleaseConfig | None, given: Mapping[str, float] | None
) -> tuple[dict[str, float], str]:
    """Target BPT of the seven classes of the release, and its origin."""
    given = None if given is None else GENE7.complete(given, "the region preset")
    written = config.target_bpt() if config else None
    if config is not None and written is not None:
        if given is not None and given != written:
            name = next(key for key in CLASSES if given[key] != written[key])
            raise GenezipError(
                f"{config.path} has {written[name]:g} bp per token for {name}, the region preset "
                f"{given[name]:g}; leave the preset out"
            )
        return written, "hydra_cfg.yaml"
    if given is not None:
        return given, "region preset"
    return dict(PUBLISHED_BPT), "assumed: transcript-balanced, base 32"


def _readme(card: ModelCard, parameters: int) -> str:
    """Markdown model card."""
    training = card.training
    hub = training.get("hub")
    where = f" of `{hub['id']}` at commit `{hub['commit']}`" if hub else ""
    targets = "\n".join(
        f"| {LABELS[name]} | {value:.1f} |" for name, value in card.target_bpt.items()
    )
    return f"""# {card.name}

DNA compressor of the GeneZip method (arXiv 2602.17739): {parameters:,} parameters, trained
by its authors and imported from `{training["imported_from"]}`{where} (sha256
`{training["source_sha256"]}`). It was not trained or scored by this package.

| region | target bp per token |
|---|---|
{targets}

Targets: {training["targets"]}. Bounds on tokens: {training["bounds"]}.

```python
from genezip import GeneZip

model = GeneZip.from_pretrained("path/to/this/folder")
z = model.compress("ACGT" * 3000)
z.tokens, z.chunk_bp, z.boundary_prob
```

`config.json` holds architecture, targets, the origin of the weights and versions.
"""


FILES = ("pytorch_model.bin", "pytorch_model.safetensors", "model.safetensors", "model.bin")
LAST = "last-checkpoint"
_STEP = re.compile(r"checkpoint-(\d+)")
_PREFIX = re.compile(r"^((module|_orig_mod)\.)+")


def find_weights(folder: Path) -> Path | None:
    """The first weight file of a folder in the release's order; None if there is none.

    The folder itself comes first, then ``last-checkpoint/``, then the ``checkpoint-STEP/`` from the
    highest step down; in each, the names of :data:`FILES` in order.
    """
    steps = {
        int(match[1]): path for path in folder.iterdir() if (match := _STEP.fullmatch(path.name))
    }
    folders = [folder, folder / LAST, *(steps[step] for step in sorted(steps, reverse=True))]
    candidates = (one / name for one in folders for name in FILES)
    return next((path for path in candidates if path.is_file()), None)


def locate(source: str | Path) -> Path:
    """The weight file of a file, a folder or a hub id.

    From the hub, folder after folder of one commit is requested, so that only the weights of one
    folder are downloaded.
    """
    hub_id = HubId.parse(source)
    if hub_id is None:
        path = Path(source)
        if path.is_file():
            return path
        found = find_weights(path) if path.is_dir() else None
        if found is None:
            what = "holds no" if path.is_dir() else "does not exist; name a"
            raise GenezipError(f"{source} {what} weight file ({', '.join(FILES)})")
        return found
    for inside in ("", f"{LAST}/", "checkpoint-*/"):
        folder = snapshot(hub_id, [CONFIG_NAME, *(inside + name for name in (CONFIG_NAME, *FILES))])
        hub_id = HubId(hub_id.name, folder.name)
        found = find_weights(folder)
        if found is not None:
            return found
    raise GenezipError(f"{source} on the hub holds no weight file ({', '.join(FILES)})")


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Tensors of a weight file by name, on the CPU, without the prefixes of wrappers.

    A pickle may hold only floating-point tensors in plain dictionaries; no code in it is run.
    """
    state = read_file(path)
    if isinstance(state, Mapping) and set(state) == {"state_dict"}:
        state = state["state_dict"]
    return named_tensors(state, path)


def named_tensors(state: Any, path: Path) -> dict[str, Tensor]:
    """Floating-point tensors by name, without the prefixes of wrappers; all else is refused."""
    if not isinstance(state, Mapping) or not state:
        raise GenezipError(f"{path} holds no dictionary of tensors; name a weight file")
    named = {}
    for name, value in state.items():
        if not isinstance(value, Tensor) or not value.is_floating_point():
            kind = value.dtype if isinstance(value, Tensor) else type(value).__name__
            raise GenezipError(
                f"{path} holds {name} of type {kind}, which is no floating-point tensor; "
                "name the file of the weights alone"
            )
        short = _PREFIX.sub("", str(name))
        if short in named:
            raise GenezipError(
                f"{path} holds {short} twice, with and without a prefix; name another weight file"
            )
        named[short] = value
    return named


def read_file(path: Path) -> Any:
    """Content of a weight file, by weights-only unpickling or safetensors."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # the message has the name of any type but tensors and plain containers
        foreign = re.search(r"GLOBAL ([\w.]+)", str(error))
        if foreign is None:
            raise _unreadable(path) from None
        raise GenezipError(
            f"{path} is a pickle with {foreign[1]} in it, which could run code when read; "
            "save its tensors alone (a plain state dict) and import that"
        ) from None
    except PermissionError:
        raise GenezipError(f"{path} may not be read; change its permissions") from None
    except Exception as error:  # the readers raise many kinds of errors for wrong bytes
        raise _unreadable(path) from error


def _unreadable(path: Path) -> GenezipError:
    return GenezipError(f"{path} is broken or no weight file; fetch it again")
