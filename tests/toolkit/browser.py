"""A headless browser: what a page measures of itself, and what it writes to the console."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "google-chrome", "chromium-browser")
BROWSER = next((path for name in NAMES if (path := shutil.which(name))), None)
SECONDS = 300  # on a busy machine; else it takes two or three

needs_browser = pytest.mark.skipif(
    BROWSER is None and not os.environ.get("GENEZIP_REQUIRE_BROWSER"),
    reason=f"none of {', '.join(NAMES)} is installed",
)


def measured(url: str, home: Path, width: int, *options: str) -> tuple[dict[str, Any], str]:
    """JSON that the page puts into its element ``measured``, and the lines of its console."""
    assert BROWSER is not None, "GENEZIP_REQUIRE_BROWSER is set, and no browser is installed"
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},900",
        "--enable-logging=stderr", "--dump-dom", *options, url,
    ]  # fmt: skip
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={**os.environ, "HOME": str(home)},
    )
    match = re.search(r'<pre id="measured">(.*?)</pre>', done.stdout, re.DOTALL)
    assert match, done.stderr[-2000:]
    text = match[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    console = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    return json.loads(text), console
