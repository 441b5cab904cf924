"""The documents' code, run as it stands: doctests of every document, the Cython strategy, the replay document."""

from __future__ import annotations

import doctest
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from feeds.simulator.faults import KINDS

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
pytestmark = pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="a copy of the sources without docs/")
BLOCK = re.compile(r"(?:<!-- ([^>]*?) -->\s*\n)?^```(\w+)\n(.*?)^```", re.M | re.S)


def block(document: str, comment: str) -> str:
    """The text of the fenced block right below this comment."""
    found = [text for marker, _, text in BLOCK.findall((ROOT / document).read_text()) if marker == comment]
    assert len(found) == 1, f"{document}: {len(found)} blocks below <!-- {comment} -->"
    return found[0]


def run(*command: str | Path, cwd: Path) -> str:
    """Run Python with the project on its path; what it printed."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run([sys.executable, *map(str, command)], cwd=cwd, env=os.environ | {"PYTHONPATH": path},
                            capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


EXAMPLES = [(path, text) for path in DOCUMENTS for _, language, text in BLOCK.findall(path.read_text())
            if language == "python" and text.startswith(">>>")]


@pytest.mark.parametrize(("path", "text"), EXAMPLES, ids=[path.name for path, _ in EXAMPLES])
def test_a_doctest_of_a_document(path: Path, text: str) -> None:
    example = doctest.DocTestParser().get_doctest(text, {}, path.name, str(path), 0)
    assert doctest.DocTestRunner().run(example).failed == 0


def test_files_that_documents_name_exist() -> None:
    for path in DOCUMENTS:
        named = set(re.findall(r"\b(?:orderbook|feeds|docs|benchmarks|tests|examples)/[\w/.]+\w", path.read_text()))
        missing = sorted(name for name in named if not (ROOT / name).exists() and name != "benchmarks/RESULTS.md")
        assert not missing, f"{path.name} names {missing}"


def test_the_table_of_evidence_is_what_the_specs_say() -> None:
    """`python docs/evidence.py` prints the table that docs/venues.md ends with."""
    text = (ROOT / "docs" / "venues.md").read_text()
    assert text.endswith("\n\n" + run(ROOT / "docs" / "evidence.py", cwd=ROOT))


def test_the_table_of_lost_fields_is_what_the_dialects_say() -> None:
    """`python docs/lost.py` prints the table that docs/simulated.md ends with."""
    text = (ROOT / "docs" / "simulated.md").read_text()
    assert text.endswith("\n\n" + run(ROOT / "docs" / "lost.py", cwd=ROOT))


def test_the_document_of_faults_has_every_kind() -> None:
    text = (ROOT / "docs" / "faults.md").read_text()
    for kind, what in KINDS.items():
        assert re.search(rf"^\| `{kind}` \| [^|]+ \| {re.escape(what)} \|$", text, re.M), kind


def test_the_simulated_venue_of_the_document_runs(tmp_path: Path) -> None:
    (tmp_path / "simulated.py").write_text(block("docs/simulated.md", "simulated"))
    assert run(tmp_path / "simulated.py", cwd=tmp_path).startswith("(")


@pytest.mark.slow
@pytest.mark.parametrize(("document", "source"), [
    ("docs/cython.md", "strategy.pyx"), ("docs/analytics.md", "signals.pyx")])
def test_the_cython_strategy_compiles_and_runs(tmp_path: Path, document: str, source: str) -> None:
    (tmp_path / source).write_text(block(document, source))
    (tmp_path / "program.py").write_text(block(document, f"runs with {source}"))
    run("-m", "Cython.Build.Cythonize", "-i", "-q", source, cwd=tmp_path)
    run("program.py", cwd=tmp_path)


@pytest.mark.slow
def test_the_short_strategy_of_the_readme_compiles(tmp_path: Path) -> None:
    short, = (text for _, language, text in BLOCK.findall((ROOT / "README.md").read_text()) if language == "cython")
    (tmp_path / "short.pyx").write_text(short)
    run("-m", "Cython.Build.Cythonize", "-i", "-q", "-3", "short.pyx", cwd=tmp_path)
    code = "from orderbook import Book; from short import spread_units; book = Book(); " \
           "book.apply_snapshot([('1.0', 1)], [('1.3', 1)]); print(spread_units(book))"
    assert run("-c", code, cwd=tmp_path) == "3\n"


def test_the_replay_document_has_the_keys_it_is_said_to_have(tmp_path: Path) -> None:
    """docs/json.md names every key, its example capture replays, and the example document is what comes out."""
    capture = tmp_path / "binance_usdm" / "example.ws"
    capture.parent.mkdir()
    capture.write_text(block("docs/json.md", "binance_usdm/example.ws").replace("<TAB>", "\t"))
    printed = json.loads(run("-m", "feeds.cli", "replay", "--json", "binance_usdm/example.ws", cwd=tmp_path))
    shown = json.loads(block("docs/json.md", "the document of example.ws"))
    printed["seconds"] = shown["seconds"]
    assert printed == shown
    text = (ROOT / "docs" / "json.md").read_text()
    keys = {*printed, *printed["symbols"]["BTCUSDT"], "crc_ok", "crc_bad"}
    assert not [key for key in keys if f"`{key}`" not in text]
