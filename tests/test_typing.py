"""The stubs beside the compiled modules say what the modules have: mypy's stubtest compares them at run time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy", reason="mypy is not installed")

ROOT = Path(__file__).resolve().parent.parent

# What Cython adds to every compiled module or class and nobody calls.
CYTHON_NAMES = r"""
.*\.__pyx_.*
.*\.__test__
.*\.__(reduce|setstate)_cython__
.*\.__reduce__
"""


@pytest.mark.slow
def test_stubs_agree_with_the_modules(tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    allowed.write_text(CYTHON_NAMES)
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts)
               for package in ("orderbook", "feeds") for path in sorted((ROOT / package).rglob("*.pyi"))]
    assert modules
    result = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", *modules, "--allowlist", str(allowed),
         "--ignore-unused-allowlist", "--ignore-disjoint-bases", "--concise", "--mypy-config-file", "pyproject.toml"],
        cwd=ROOT, env=os.environ | {"MYPY_CACHE_DIR": str(tmp_path / "cache"), "MYPYPATH": str(ROOT)},
        capture_output=True, text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
def test_a_typed_program_checks(tmp_path: Path) -> None:
    """What the README and the examples do passes mypy --strict from outside the project."""
    program = tmp_path / "program.py"
    program.write_text(
        "import numpy as np\n"
        "from orderbook import Book, BookState\n"
        "from feeds import Pipeline\n"
        "book = Book(price_scale=2, qty_scale=3)\n"
        "book.apply_snapshot([('1.00', '2')], [('1.01', '3')])\n"
        "best: tuple[float, float] | None = book.best_bid\n"
        "live: bool = book.status == BookState.LIVE\n"
        "bids, asks = np.empty((10, 2)), np.empty((10, 2))\n"
        "held: tuple[int, int] = book.top(bids, asks)\n"
        "pipeline = Pipeline('binance_usdm')\n"
        "pipeline.feed(b'{}')\n"
        "counts: dict[str, int] = pipeline.counters\n"
    )
    examples = sorted((ROOT / "examples").glob("*.py"))
    assert examples
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"),
         "--disable-error-code=import-not-found", str(program), *map(str, examples)],      # of the one they compile
        cwd=tmp_path, env=os.environ | {"MYPYPATH": f"{ROOT}{os.pathsep}{ROOT / 'examples'}"}, capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
