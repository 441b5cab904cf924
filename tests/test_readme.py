"""The README's commands and examples, run as they are written.

A fenced `sh` or `python` block runs if an HTML comment stands right before it:

    <!-- runnable -->                 from the project's root, must exit 0
    <!-- runnable: data -->           the same with the captures in ../shared/data, wherever WIREBOOK_DATA has them
    <!-- runnable: seconds=20 -->     ends by itself only on Ctrl-C, which it gets after so many seconds

`make` in a block is not run again from inside `make test`; that its target exists is checked of every block.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(r"(?:<!-- runnable(?::\s*([^>]*?))?\s*-->\s*\n)?^```(sh|python)\n(.*?)^```", re.M | re.S)
PROMPT_TO_END_S = 60


class Block(NamedTuple):
    line: int
    options: str | None     # None: not runnable
    language: str
    text: str


def blocks() -> list[Block]:
    text = README.read_text() if README.exists() else ""
    return [
        Block(text.count("\n", 0, match.start()) + 1,
              (match[1] or "") if match[0].startswith("<!--") else None, match[2], match[3])
        for match in BLOCK.finditer(text)
    ]


BLOCKS = blocks()
RUNNABLE = [block for block in BLOCKS if block.options is not None]


def commands(block: Block) -> list[str]:
    """The command lines of a shell block, joined where they go on, without comments."""
    lines = block.text.replace("\\\n", " ").splitlines()
    return [line.split(" #")[0].strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def environment() -> dict[str, str]:
    """Commands are found where the interpreter of the suite is, as in an activated environment."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return os.environ | {"PATH": path, "COLUMNS": "120"}


@pytest.mark.slow
@pytest.mark.parametrize("block", RUNNABLE, ids=[f"line{block.line}" for block in RUNNABLE])
def test_a_marked_block_runs(block: Block, request: pytest.FixtureRequest) -> None:
    options = dict(option.partition("=")[::2] for option in block.options.split())
    source = block.text
    if "data" in options:
        source = source.replace("../shared/data", str(request.getfixturevalue("data_dir")))
    if block.language == "python":
        command = [sys.executable, "-W", "error", "-c", source]
    else:
        text = "\n".join(line for line in source.splitlines() if not line.lstrip().startswith("make"))
        command = ["bash", "-euo", "pipefail", "-c", text]
    process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               stdin=subprocess.DEVNULL, text=True, start_new_session=True)
    interrupted = False
    try:
        try:
            out, err = process.communicate(timeout=float(options.get("seconds", 0)) or PROMPT_TO_END_S)
        except subprocess.TimeoutExpired:
            assert "seconds" in options, "the block did not end"
            interrupted = True
            os.killpg(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=15)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert interrupted or process.returncode == 0, f"exit {process.returncode}\n{out}\n{err}"
    assert "Traceback" not in err, err


def test_the_readme_has_examples_that_run() -> None:
    assert {block.language for block in RUNNABLE} == {"sh", "python"}


def test_make_targets_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z]+)(?: [a-z]+)*:", (ROOT / "Makefile").read_text(), re.M))
    named = {word for block in BLOCKS if block.language == "sh" for line in commands(block)
             for word in (shlex.split(line)[1:] if line.startswith("make") else []) if "=" not in word}
    assert named, "the README does not say how to build"
    assert named <= targets


def test_wirebook_commands_of_the_readme_exist() -> None:
    named = {shlex.split(line)[1] for block in BLOCKS if block.language == "sh" for line in commands(block)
             if re.match(r"(\S*/)?wirebook [a-z]", line)}
    assert named, "the README does not show the command"
    for command in sorted(named):
        shown = subprocess.run([sys.executable, "-m", "feeds.cli", command, "--help"], cwd=ROOT, env=environment(),
                               capture_output=True, text=True)
        assert shown.returncode == 0, f"wirebook {command}: {shown.stderr}"
