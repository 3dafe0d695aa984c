"""The checked configuration, and the Python of all rules; no rules."""

import re
import sys
from pathlib import Path

from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod
from snakemake.utils import update_config

# Use the package beside the workflow if there is one (a checkout), else the installed one.
beside = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1]
if re.search("[{}]", str(beside)):
    raise WorkflowError(
        f"the folder of the workflow is {beside}: Snakemake reads braces as wildcards; rename it"
    )
if (beside / "genezip" / "__init__.py").is_file():
    sys.path.insert(0, str(beside))
try:
    from genezip.config import (
        LABEL_PARTS,
        TASK_TABLES,
        Evaluation,
        GenezipError,
        beside_workflow,
        check_presets,
        needs,
        of_user,
        parse_layers,
        preset_file,
        shell_prefix,
    )
except ImportError as error:
    raise WorkflowError(
        f"{sys.executable} cannot import genezip ({error}); install it there: "
        f"{sys.executable} -m pip install FOLDER (a clone of genezip)"
    )

# Paths of the user are relative to the folder of the Snakefile, or to its parent if that folder is
# named `workflow`. Rules get them relative to the folder of the run, so that a checkout can be
# moved or renamed.
ROOT = Path(workflow.basedir).absolute()
ROOT = ROOT.parent if ROOT.name == "workflow" else ROOT

# Layers, later ones winning: config/tables.yaml, the file named in the Snakefile, --configfile,
# --config. A module has only the config it is given, below the tables of the workflow.
given = workflow.config_settings
files = [path for path in workflow.configfiles if path not in given.configfiles]
if getattr(given, "replace_workflow_config", False):
    files = []
layers = [load_configfile(path) or {} for path in [*files, *given.configfiles]]
layers.append(given.config)
merged = {}
for layer in layers:
    update_config(merged, layer)
try:
    published = beside_workflow("config/tables.yaml", ROOT)
    tables = [load_configfile(str(published)) or {}] if published.is_file() else []
    CONFIG = parse_layers([*tables, *(layers if merged == config else [config])])
    check_presets(CONFIG, ROOT)
except GenezipError as error:
    raise WorkflowError(str(error))
config.update(CONFIG.model_dump(mode="json"))

DEPLOYED = {DeploymentMethod.CONDA, DeploymentMethod.APPTAINER}
DEPLOYED &= set(workflow.deployment_settings.deployment_method)
shell.prefix(shell_prefix(bool(DEPLOYED), Path.cwd(), ROOT))
