"""The README's commands and examples, run as they are written.

A fenced `sh` or `python` block runs if an HTML comment stands right before it:

    <!-- runnable -->                 from the project's root, must exit 0
    <!-- runnable: data -->           the same with the captures in ../shared/data, wherever WIREBOOK_DATA has them
    <!-- runnable: seconds=20 -->     ends by itself only on Ctrl-C, which it gets after so many seconds
    <!-- runnable: serves -->         runs while the next runnable block does, then gets its Ctrl-C
    <!-- runnable: makes=x/*.png -->  from an empty folder, and such files are there at the end

A port of a block that serves stands for a free one, in that block and in the next. `make` is not run again from inside
`make test`; that its targets exist is checked of every block.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(r"(?:<!-- runnable(?::\s*([^>]*?))?\s*-->\s*\n)?^```(sh|python)\n(.*?)^```", re.M | re.S)
PORT = re.compile(r"--port (\d+)")
PROMPT_TO_END_S = 60
SERVED_S = 3


class Block(NamedTuple):
    line: int
    options: str | None     # None: not runnable
    language: str
    text: str

    @property
    def parsed(self) -> dict[str, str]:
        """The options: "seconds=5 data" as {"seconds": "5", "data": ""}."""
        return dict(option.partition("=")[::2] for option in (self.options or "").split())


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


class Process:
    """A block at work, and everything it started, which does not outlive it."""

    def __init__(self, block: Block, source: str, folder: Path = ROOT) -> None:
        if block.language == "python":
            command = [sys.executable, "-W", "error", "-c", source]
        else:
            text = "\n".join(line for line in source.splitlines() if not line.lstrip().startswith("make"))
            command = ["bash", "-euo", "pipefail", "-c", text]
        self.popen = subprocess.Popen(command, cwd=folder, env=environment(), stdin=subprocess.DEVNULL, text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.communicate()

    def finish(self, seconds: float) -> None:
        """Wait until it ends by itself, and well."""
        out, err = self.popen.communicate(timeout=seconds)
        assert self.popen.returncode == 0, f"exit {self.popen.returncode}\n{out}\n{err}"
        assert "Traceback" not in err, err

    def interrupt_after(self, seconds: float) -> None:
        """It runs so long, then gets Ctrl-C and ends cleanly."""
        with suppress(subprocess.TimeoutExpired):
            out, err = self.popen.communicate(timeout=seconds)
            raise AssertionError(f"ended by itself with {self.popen.returncode}\n{out}\n{err}")
        os.killpg(self.popen.pid, signal.SIGINT)
        _, err = self.popen.communicate(timeout=15)
        assert "Traceback" not in err, err


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


@pytest.mark.slow
@pytest.mark.parametrize("index", range(len(RUNNABLE)), ids=[f"line{block.line}" for block in RUNNABLE])
def test_a_marked_block_runs(index: int, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    block, before = RUNNABLE[index], RUNNABLE[index - 1] if index else None
    options, source = block.parsed, block.text
    folder = tmp_path if "makes" in options else ROOT
    if "data" in options:
        source = source.replace("../shared/data", str(request.getfixturevalue("data_dir")))
    if "serves" in options:
        with Process(block, PORT.sub(lambda match: f"--port {free_port()}", source)) as server:
            server.interrupt_after(SERVED_S)
    elif "seconds" in options:
        with Process(block, source) as process:
            process.interrupt_after(float(options["seconds"]))
    elif before is not None and "serves" in before.parsed:
        port, free = PORT.search(before.text), free_port()
        assert port, "a block that serves names its port"
        with Process(before, before.text.replace(port[1], free)) as server:
            assert server.popen.stdout and server.popen.stdout.readline(), "the server does not start"
            with Process(block, source.replace(port[1], free), folder) as process:
                process.finish(PROMPT_TO_END_S)
    else:
        with Process(block, source, folder) as process:
            process.finish(PROMPT_TO_END_S)
    if "makes" in options:
        assert list(folder.glob(options["makes"])), f"no {options['makes']} in {sorted(folder.rglob('*'))}"


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
