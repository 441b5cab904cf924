"""Compiles a benchmark's own Cython file the way a user's strategy is compiled, into build/bench."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent
TREE = HERE.parent / "build" / "bench"


def compiled(name: str) -> ModuleType:
    """The module benchmarks/<name>.pyx, compiled against the installed or in-place package.

    It is compiled anew every time: the headers it includes belong to the package, and a stale copy would measure an
    older book.
    """
    TREE.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(HERE / f"{name}.pyx", TREE / f"{name}.pyx")
    path = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "Cython.Build.Cythonize", "-i", "-f", "-q", "-3", f"{name}.pyx"]
    result = subprocess.run(command, cwd=TREE, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"{name}.pyx does not compile:\n{result.stdout}\n{result.stderr}")
    sys.path.insert(0, str(TREE))
    try:
        return import_module(name)
    finally:
        sys.path.remove(str(TREE))
