"""Programs in copies of a warm process (``toolkit/processes.py``) run as in new ones."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from toolkit import processes

SEEN = """
import json, os, signal, sys
print(json.dumps([
    os.getcwd(), sorted(os.environ.items()), sys.argv, sys.path[:3], __name__,
    sorted(name for name in sys.modules if name.split('.')[0] in ('genezip', 'toolkit', 'pytest')),
    signal.getsignal(signal.SIGINT) is signal.default_int_handler, sys.stdin.read(),
    sys.stdout.isatty(),
]))
sys.stderr.write('said\\n')
sys.exit(3)
"""


def in_a_new_one(
    words: list[str], cwd: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, env=environment, capture_output=True, text=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize("way", ["-c", "-m", "file"])
def test_a_program_finds_what_it_would_find_in_a_new_process(tmp_path: Path, way: str) -> None:
    (tmp_path / "seen.py").write_text(SEEN)
    (tmp_path / "own").mkdir()
    words = {"-c": ["-c", SEEN], "-m": ["-m", "seen"], "file": ["seen.py"]}[way]
    environment = {"PYTHONPATH": str(tmp_path / "own"), "PATH": os.environ["PATH"], "LC_CTYPE": "C"}
    environment["PYTHONCOERCECLOCALE"] = "0"  # a new process would set LC_CTYPE
    expected = in_a_new_one([*words, "a", "b"], tmp_path, environment)
    found = processes.run([*words, "a", "b"], tmp_path, environment, libraries=["numpy"])
    assert (found.returncode, found.stderr) == (3, "said\n")
    assert (expected.returncode, expected.stderr) == (3, "said\n")
    assert found.stdout == expected.stdout


def test_both_streams_in_order_and_an_exception(tmp_path: Path) -> None:
    code = "import sys; print(1, flush=True); print(2, file=sys.stderr, flush=True); 1 / 0"
    done = processes.run(["-c", code], tmp_path, together=True, libraries=[])
    assert done.returncode == 1 and done.stdout.startswith("1\n2\nTraceback")
    assert done.stdout.endswith("ZeroDivisionError: division by zero\n")


def test_signals_and_time_end_a_program(tmp_path: Path) -> None:
    code = "import time; open('begun', 'w').close(); time.sleep(60)"
    with tempfile.TemporaryFile() as out:
        program = processes.start(["-c", code], tmp_path, os.environ, out, out, libraries=[])
        while not (tmp_path / "begun").exists():
            time.sleep(0.005)
        assert program.poll() is None
        program.send_signal(signal.SIGINT)
        assert program.wait(20) == -signal.SIGINT == program.poll()
    with pytest.raises(subprocess.TimeoutExpired):
        processes.run(["-c", code], tmp_path, libraries=[], timeout=0.1)
    assert processes.run(["-c", "pass"], tmp_path, libraries=[]).returncode == 0
