"""The programs of examples/, each run as a user runs it against a simulated venue, and the fills of the paper maker."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from orderbook import Book

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
SECONDS = "1.5"
pytestmark = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="a copy of the sources without examples/")


def run(*command: str | Path, cwd: Path = EXAMPLES, fails: bool = False) -> str:
    """What Python printed, with the project on its path; a warning is an error there."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run([sys.executable, "-W", "error", *map(str, command)], cwd=cwd, stdin=subprocess.DEVNULL,
                            env=os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
                            capture_output=True, text=True, timeout=120)
    assert (result.returncode != 0) == fails, result.stdout + result.stderr
    assert "Traceback" not in result.stderr, result.stderr
    return result.stderr if fails else result.stdout


def numbers(pattern: str, text: str) -> list[float]:
    """The groups of a pattern that must be there."""
    found = re.search(pattern, text)
    assert found, text
    return [float(group) for group in found.groups()]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A simulated venue for the examples that are given an address."""
    command = [sys.executable, "-m", "feeds.cli", "serve", "--sim", "kraken", "--symbols", "BTC-USD", "--port", "0",
               "--until-eof"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True) as process:
        assert process.stdin and process.stdout
        yield process.stdout.readline().strip()
        process.stdin.close()


def test_the_imbalance_signal(url: str) -> None:
    said = run("imbalance.py", "--url", url, "--seconds", SECONDS)
    books, signals = numbers(r"^(\d+) books, (\d+) signals; after 100 ms", said)
    assert books > 20
    counted = [numbers(rf"{word} +(\d+) +([\d.]+)%", said) for word in ("right", "wrong", "unchanged")]
    assert sum(count for count, _ in counted) == signals
    assert signals == 0 or sum(share for _, share in counted) == pytest.approx(100, abs=0.2)


def test_the_market_maker_without_an_address() -> None:
    """It starts a venue of its own, which is gone afterwards: `run` would wait for whoever holds its output."""
    said = run("market_maker.py", "--seconds", SECONDS)
    fills, traded, position, mid = numbers(r"^(\d+) fills, ([\d.]+) traded, position ([+-][\d.]+) at ([\d.]+)\n", said)
    assert 0 <= traded <= fills * 0.05 + 1e-9
    assert abs(position) <= min(traded, 0.25 + 0.05) + 1e-4
    assert 50_000 < mid < 70_000
    assert "no order was sent" in said


def test_two_venues() -> None:
    said = run("cross_venue.py", "--seconds", SECONDS)
    best = r"\(6\d{4}\.\d+, [\d.]+, \('\w+',.*\)\)"
    assert len(re.findall(rf"in: kraken, bitmex; best bid {best}, best ask {best}\n", said)) == 4
    count, lasted = numbers(r"\n(\d+) times crossed, for (\d+) ms in all\n", said)
    told = re.findall(r"buy at (\w+), sell at (\w+): ([\d.]+) bps on ([\d.]+) for ([\d.]+) ms", said)
    assert len(told) == min(3, count)
    assert all({buy, sell} == {"kraken", "bitmex"} for buy, sell, *_ in told)
    assert sum(float(row[-1]) for row in told) <= lasted + 1


def test_threads(url: str) -> None:
    said = run("threads.py", "--url", url, "--seconds", SECONDS)
    quick, slow = (numbers(rf"every +{pause} ms: (\d+) reads of (\d+) messages, \d+ refused", said)
                   for pause in (1, 10))
    assert quick[0] > slow[0] > 5
    assert quick[0] >= quick[1] > 5
    assert slow[0] >= slow[1] > 1


def test_the_cython_strategy(url: str, tmp_path: Path) -> None:
    for name in ("common.py", "cython_strategy.py", "fast_imbalance.pyx"):
        shutil.copy(EXAMPLES / name, tmp_path)
    assert "run `cythonize -i fast_imbalance.pyx`" in run("cython_strategy.py", cwd=tmp_path, fails=True)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    subprocess.run([sys.executable, "-m", "Cython.Build.Cythonize", "-i", "-q", "fast_imbalance.pyx"], cwd=tmp_path,
                   check=True, env=os.environ | {"PYTHONPATH": path, "CFLAGS": "-O0"}, capture_output=True)
    said = run("cython_strategy.py", "--url", url, "--seconds", SECONDS, cwd=tmp_path)
    for name in ("Cython", "Python"):
        books, trades, imbalance, microprice, spent = numbers(
            rf"{name}: (\d+) books, (\d+) trades, imbalance ([+-][\d.]+), microprice ([\d.]+), flow [+-][\d.]+; "
            r"a book takes (\d+) ns", said)
        assert books > 20
        assert -1 <= imbalance <= 1
        assert 50_000 < microprice < 70_000
        assert spent > 0


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py*")), ids=lambda path: path.name)
def test_an_example_is_short_and_keeps_to_what_is_public(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") < 90
    assert not re.search(r"feeds\.(simulator|venues)|\._[a-z]", text)


# ---- the fills of the paper maker

@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    for name in ("common", "market_maker"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return import_module("market_maker")


def test_paper_fills(maker: ModuleType) -> None:
    """An order is filled when what stood before it is gone, or when a trade goes beyond its price."""
    def trade(price: float, qty: float, aggressor: str) -> None:
        mine.on_trade(SimpleNamespace(price=price, qty=qty, aggressor=aggressor))

    mine, book = maker.Maker(), Book()
    book.apply_snapshot([("100", "1"), ("99", "1")], [("101", "2")])
    mine.on_book(book)
    trade(100, 0.7, "sell")                         # of the 1 before it
    trade(101, 5.0, "sell")                         # above the bid: not at its price or below
    assert (mine.fills, mine.bid.ahead) == (0, pytest.approx(0.3))
    trade(100, 0.32, "sell")
    assert (mine.fills, mine.position, mine.bid.left) == (1, pytest.approx(0.02), pytest.approx(0.03))
    trade(100, 9.0, "sell")
    assert (mine.fills, mine.position, mine.bid) == (2, pytest.approx(0.05), None)
    assert mine.cash == pytest.approx(-0.05 * 100 * (1 + maker.FEE))
    trade(102, 0.01, "buy")                         # beyond its price: whole, whatever stood before it
    assert (mine.position, mine.ask) == (pytest.approx(0), None)
    assert mine.cash == pytest.approx(0.05 - 0.05 * 201 * maker.FEE)
    book.apply_delta([("100", "0.4")], [])
    mine.on_book(book)
    assert mine.bid.ahead == 0.4
    book.apply_delta([("100", "0.1")], [])          # those before it have gone
    mine.on_book(book)
    assert mine.bid.ahead == 0.1
    book.apply_delta([("100.5", "3")], [])
    mine.on_book(book)
    assert (mine.bid.price, mine.bid.ahead) == (100.5, 3.0)
    mine.position = maker.MOST
    mine.on_book(book)
    assert mine.bid is None
    mine.on_status(None, None, None, "lost")
    assert mine.ask is None
