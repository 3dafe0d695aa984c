"""sdist and wheel of the tracked files, and the wheel alone in an environment of its own.

The environment has the wheel; libraries come from the environment of the tests, by a path file,
because torch has gigabytes. That environment's own genezip, an editable one, is not seen: such a
path reads no further path files. Every Python of the new environment notes each file of the
checkout that it opens.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

WATCH = """\
import os, sys
from pathlib import Path

CHECKOUT, LIBRARIES, NOTED = {checkout!r}, {libraries!r}, {noted!r}


def note(event, arguments):
    if event not in ("open", "os.listdir", "os.scandir") or not isinstance(arguments[0], str):
        return
    path = os.path.abspath(arguments[0])
    if path.startswith(CHECKOUT + os.sep) and not path.startswith(tuple(LIBRARIES)):
        descriptor = os.open(NOTED, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, f"{{path}}\\n".encode())
        os.close(descriptor)


sys.addaudithook(note)
"""


def tracked(repo: Path) -> list[str]:
    """Files that git tracks or would track, as paths below the repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=repo, capture_output=True, text=True, check=True).stdout
    return [name for name in names.split("\0") if name and (repo / name).is_file()]


def build(repo: Path, folder: Path) -> tuple[Path, Path]:
    """The sdist of a copy of the tracked files, and the wheel built from that sdist."""
    source = folder / "source"
    for name in tracked(repo):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(repo / name, source / name)
    out = folder / "dist"
    done = subprocess.run(
        [sys.executable, "-m", "build", "--outdir", out, source],
        capture_output=True, text=True, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return sdist, wheel


@dataclass(frozen=True)
class BareEnvironment:
    """An environment with one wheel.

    Attributes
    ----------
    folder : of the environment
    noted : file with the paths of the checkout that its Pythons opened; absent without any
    """

    folder: Path
    noted: Path

    @classmethod
    def make(cls, folder: Path, wheel: Path, checkout: Path) -> "BareEnvironment":
        """Install a wheel, without its dependencies."""
        made = cls(folder, folder.parent / "noted.txt")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        pip = [sys.executable, "-m", "pip", "--python", made.program("python"), "install"]
        subprocess.run([*pip, "--quiet", "--no-deps", "--no-index", wheel], check=True)
        (packages,) = folder.glob("lib/python*/site-packages")
        libraries = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
        (packages / "libraries.pth").write_text("\n".join(libraries) + "\n")
        watch = WATCH.format(
            checkout=str(checkout.resolve()), libraries=[sys.prefix, *libraries],
            noted=str(made.noted),
        )  # fmt: skip
        (packages / "sitecustomize.py").write_text(watch)
        return made

    def program(self, name: str) -> Path:
        """A program of the environment."""
        return self.folder / "bin" / name

    def run(
        self, command: str | list[str], cwd: Path, **more: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a line of bash, or the environment's Python with some words, as a user would."""
        left_out = ("PYTHONPATH", "GENEZIP_MIRROR", "VIRTUAL_ENV")
        environment = {key: text for key, text in os.environ.items() if key not in left_out}
        environment["PATH"] = os.pathsep.join([str(self.folder / "bin"), os.environ["PATH"]])
        environment |= {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", **more}
        words = (
            ["bash", "-euo", "pipefail", "-c", command]
            if isinstance(command, str)
            else [str(self.program("python")), *command]
        )
        return subprocess.run(
            words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300
        )
