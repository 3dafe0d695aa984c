"""A system that was trained elsewhere, or a class of yours, as a model folder with another name.

Tables name a system by its folder, so two networks of one name (dnaHNet of bacteria and of human
DNA) can stand side by side only under different ones.
"""

from pathlib import Path
from shutil import copyfile

from genezip.artifacts.files import write_json
from genezip.artifacts.folder import replaced_folder
from genezip.errors import GenezipError
from genezip.models import CARD, CONFIG, KIND, REGISTRY, load
from genezip.models.hub import HubId, local_folder, snapshot

_LEFT = (CARD, "curve.jsonl", "best.safetensors")
"""Files of a model folder that have its old name, or belong to its training."""


def adopt(source: str, name: str, out: str | Path) -> None:
    """Write the model folder of a system under another name.

    ``source`` is a model folder, a hub id, or the class of a compressor as ``module:Class``, which
    is called without arguments. All files but the card are copied; a class is named in
    ``config.json``. A source that cannot be opened is refused before anything is written.
    """
    load(source)
    hub_id = HubId.parse(source)
    folder = local_folder(source) if hub_id is None else snapshot(hub_id, ["*"])
    files: list[Path] = []
    if folder.is_dir():
        files = [path for path in folder.iterdir() if path.is_file() and path.name not in _LEFT]
        head = {**KIND.read(folder / CONFIG), "name": name}
        if "sha256" in head:
            head["sha256"] = {key: one for key, one in head["sha256"].items() if key not in _LEFT}
    elif source.partition(":")[0] not in REGISTRY:
        head = KIND.head(compressor=source, name=name, seed=None, training={})
    else:
        raise GenezipError(f"{source} is neither a model folder nor a class; name one of them")
    with replaced_folder(out, [CONFIG, *(path.name for path in files)]) as made:
        for path in files:
            copyfile(path, made / path.name)
        write_json(made / CONFIG, head)
