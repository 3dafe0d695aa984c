"""The build step that pyproject.toml cannot say: the wheel holds the folders of the workflow.

``workflow/``, ``config/`` and ``envs/`` lie at the top of the repository. A wheel has them in
``genezip/_workflow``; ``genezip.config.workflow_home`` finds either.
"""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

FOLDERS = ("workflow", "config", "envs")
INSIDE = Path("genezip", "_workflow")


def _made(path: Path) -> bool:
    """Whether a program left the file behind: caches, what a run or an editor hides."""
    return any(part.startswith((".", "__pycache__")) for part in path.parts)


class WithWorkflow(build_py):
    """Copy the folders of the workflow beside the modules; an editable install needs no copy."""

    def _workflow_files(self) -> list[str]:
        found = [path for folder in FOLDERS for path in sorted(Path(folder).rglob("*"))]
        return [str(path) for path in found if path.is_file() and not _made(path)]

    def _copies(self) -> dict[str, str]:
        """File to write -> its source."""
        if self.editable_mode:
            return {}
        inside = Path(self.build_lib, INSIDE)
        return {str(inside / path): path for path in self._workflow_files()}

    def run(self) -> None:
        """Build the package, then copy."""
        super().run()
        for target, source in self._copies().items():
            self.mkpath(str(Path(target).parent))
            self.copy_file(source, target)

    def get_source_files(self) -> list[str]:
        """What an sdist must hold."""
        return [*super().get_source_files(), *self._workflow_files()]

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Everything that the build writes."""
        return [*super().get_outputs(include_bytecode), *self._copies()]

    def get_output_mapping(self) -> dict[str, str]:
        """File that the build writes -> its source."""
        return {**super().get_output_mapping(), **self._copies()}


setup(cmdclass={"build_py": WithWorkflow})
