"""The package as a stranger gets it: sdist, wheel for every interpreter found, empty environment, no checkout.

Wheels are built from the unpacked sdist, so that nothing can come from the checkout by chance. The trees are kept under
build/, because compiling them again costs more than everything else here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
VERSION = PROJECT["project"]["version"]
TREE = ROOT / "build" / "wheel"
pytestmark = pytest.mark.slow


# ---- interpreters

def interpreters() -> dict[str, str]:
    """"3.12" -> an interpreter that starts and can make environments; the one running comes first."""
    found = {f"{sys.version_info[0]}.{sys.version_info[1]}": sys.executable}
    for version in ("3.11", "3.12", "3.13"):
        name = f"python{version}"
        homes = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/{name}"))
        for candidate in [shutil.which(name), *map(str, homes)]:
            if version not in found and candidate and starts(candidate, version):
                found[version] = candidate
    return found


def starts(executable: str, version: str) -> bool:
    code = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    result = subprocess.run([executable, "-c", code], capture_output=True, text=True)
    return result.returncode == 0 and result.stdout.strip() == version


INTERPRETERS = interpreters()
OTHERS = [version for version, executable in INTERPRETERS.items() if executable != sys.executable]


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """Run a command, show what it said if it fails, and give its standard output."""
    names = ("PYTHONPATH", "LD_PRELOAD", "PYTHONMALLOC", "ORDERBOOK_DEBUG", "VIRTUAL_ENV")
    clean = {name: value for name, value in os.environ.items() if name not in names}
    process = subprocess.Popen(list(map(str, command)), cwd=cwd, env=clean | variables, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        out, err = process.communicate()
    finally:
        end_group(process)
    assert process.returncode == 0, f"{' '.join(map(str, command))}\n{out[-4000:]}\n{err[-4000:]}"
    return out


def end_group(process: subprocess.Popen) -> None:
    """Nothing a command started outlives it, even where the command itself fell over."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


# ---- sdist, wheel, environment

KEEP = {".py", ".pyx", ".pxd", ".pxi", ".pyi", ".typed", ".md", ".toml", ".in", ".cfg"}


def project_files() -> Iterator[Path]:
    """The sources, as a clean clone has them."""
    for path in ROOT.iterdir():
        if path.is_file() and (path.suffix in KEEP or path.name in {"LICENSE", "Makefile"}):
            yield path
    packages = {name.split(".")[0] for name in PROJECT["tool"]["setuptools"]["packages"]}
    for folder in (*packages, "tests", "benchmarks", "docs", "examples"):
        yield from (path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix in KEEP)


@pytest.fixture(scope="session")
def sdist() -> Path:
    source = TREE / "source"
    for path in source.rglob("*"):
        if path.is_file() and path.suffix != ".c":      # translating everything once more is not what is tested
            path.unlink()
    for path in project_files():
        target = source / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    run(sys.executable, "-c", "from setuptools.build_meta import build_sdist; build_sdist('..')", cwd=source)
    return TREE / f"wirebook-{VERSION}.tar.gz"


def unpack(sdist: Path, folder: Path) -> Path:
    """The sdist's content. What was compiled there from the same files before stays, if the same files are there."""
    tree = folder / f"wirebook-{VERSION}"
    with tarfile.open(sdist) as archive:
        names = sorted(archive.getnames())
        listing = folder / "names.json"
        if not listing.exists() or json.loads(listing.read_text()) != names or changed(archive, tree):
            shutil.rmtree(folder, ignore_errors=True)
        archive.extractall(folder, filter="tar")        # keeps the times, by which the compilers know what is new
    listing.write_text(json.dumps(names))
    return tree


def changed(archive: tarfile.TarFile, tree: Path) -> bool:
    """Whether how to build has changed, so that nothing compiled before may be used."""
    for name in ("setup.py", "pyproject.toml"):
        old, new = tree / name, archive.extractfile(f"wirebook-{VERSION}/{name}")
        if not old.exists() or new is None or old.read_bytes() != new.read():
            return True
    return False


class Installed(NamedTuple):
    wheel: Path
    bin: Path
    cwd: Path       # an empty folder to work in

    def python(self, code: str) -> str:
        return run(self.bin / "python", "-W", "error", "-c", code, cwd=self.cwd)

    def wirebook(self, *arguments: str | Path) -> str:
        return run(self.bin / "wirebook", *arguments, cwd=self.cwd)


def install(version: str, sdist: Path, cwd: Path) -> Installed:
    """The wheel of one interpreter in an empty environment outside the checkout."""
    executable = INTERPRETERS[version]
    # A tree for each: what Cython writes depends on the numpy it finds.
    source = unpack(sdist, TREE / f"python{version}")
    lend_translation(source, version)
    pip = [executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    # The environment of the suite has the build requirements already; another interpreter gets them for this once.
    isolation = ["--no-build-isolation"] if executable == sys.executable else []
    run(*pip, "wheel", source, "--no-deps", *isolation, "-w", cwd / "wheel", cwd=cwd, WIREBOOK_OPT="-O1 -g0")
    wheel, = (cwd / "wheel").iterdir()
    run(executable, "-m", "venv", cwd / "env", cwd=cwd)
    binaries = cwd / "env" / "bin"
    pip = [binaries / "python", "-m", "pip", "--disable-pip-version-check", "--quiet"]
    cython, = (name for name in PROJECT["build-system"]["requires"] if name.startswith("cython"))
    suite = [] if version not in OTHERS else [name for name in PROJECT["project"]["optional-dependencies"]["test"]
                                              if name.startswith(("pytest>", "hypothesis"))]
    run(*pip, "install", "--no-compile", wheel, "setuptools", cython, *suite, cwd=cwd)
    return Installed(wheel, binaries, cwd)


def lend_translation(source: Path, version: str) -> None:
    """Give a tree the C files of this checkout, with their times: what Cython writes is the same for every Python."""
    made = ROOT / "build" / f"cython-{sys.version_info[0]}.{sys.version_info[1]}"
    target = source / "build" / f"cython-{version}"
    if made.is_dir() and not target.exists():
        shutil.copytree(made, target, ignore=shutil.ignore_patterns("tests"))


class Workshop(NamedTuple):
    """What is being made, by interpreter."""

    installed: dict[str, Future[Installed]]
    suites: dict[str, Future[None]]


@pytest.fixture(scope="session")
def workshop(request: pytest.FixtureRequest, sdist: Path,
             tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """All that the chosen tests ask for, two at a time: much of the work is waiting for pip and for sockets."""
    def chosen(name: str) -> list[str]:
        asked = {getattr(getattr(item, "callspec", None), "params", {}).get(name) for item in request.session.items}
        return [version for version in INTERPRETERS if version in asked]

    suites = chosen("other")
    with ThreadPoolExecutor(2) as pool:
        made = {version: pool.submit(install, version, sdist, tmp_path_factory.mktemp(f"outside{version}"))
                for version in INTERPRETERS if version in {*chosen("installed"), *suites}}
        yield Workshop(made, {version: pool.submit(run_suite, made[version]) for version in suites})
        pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session", params=list(INTERPRETERS))
def installed(request: pytest.FixtureRequest, workshop: Workshop) -> Installed:
    return workshop.installed[request.param].result()


# What depends on the interpreter: the book, the pipeline and every venue's file, events and handlers, the live client.
RUN_THERE = ("orderbook", "feeds/test_pipeline.py", "feeds/test_bad_input.py", "feeds/test_venues.py",
             "feeds/test_events.py", "feeds/test_handler.py", "feeds/test_delivery.py", "feeds/test_connection.py",
             "feeds/test_transport.py")


def run_suite(made: Future[Installed]) -> None:
    """The suite of one more interpreter on its installed wheel; raises what it said if it fails."""
    installed = made.result()
    suite = installed.cwd / "suite"
    shutil.copytree(ROOT / "tests", suite / "tests", ignore=shutil.ignore_patterns("*.so", "__pycache__", "*.c"))
    shutil.copy(ROOT / "pyproject.toml", suite)
    include = installed.python("import numpy; print(numpy.get_include())").strip()
    run(installed.bin / "cythonize", "-i", "-q", "tests/_probe.pyx", cwd=suite, CFLAGS=f"-O1 -g0 -I{include}")
    data = os.environ.get("WIREBOOK_DATA") or str(ROOT.parent / "shared" / "data")
    run(installed.bin / "python", "-m", "pytest", "-q", "-m", "not slow", *[f"tests/{name}" for name in RUN_THERE],
        cwd=suite, WIREBOOK_DATA=data)


# ---- what is inside

def test_the_sdist_has_every_source_and_nothing_generated(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    kinds = {".py", ".pyx", ".pxd", ".pxi", ".pyi"}
    sources = {str(path.relative_to(ROOT)) for path in project_files() if path.suffix in kinds}
    assert sources <= names, sorted(sources - names)
    generated = [name for name in names if re.search(r"\.(c|cpp|so|o|pyc)$", name)]
    assert not generated, generated


def test_the_wheel_has_compiled_modules_and_what_strategies_need(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = archive.read(f"wirebook-{VERSION}.dist-info/METADATA").decode()
    packages = {path.relative_to(ROOT) for path in project_files() if path.relative_to(ROOT).parts[0] in
                {"orderbook", "feeds"}}
    wanted = {str(path) for path in packages if path.suffix in {".py", ".pxd", ".pyi", ".typed"}}
    plain = {name for name in names if not name.endswith(".so")}
    assert plain == wanted, sorted(plain ^ wanted)
    modules = {str(path.with_suffix("")) for path in packages if path.suffix == ".pyx"}
    compiled = {name.split(".")[0] for name in names if name.endswith(".so")}
    assert compiled == modules, sorted(compiled ^ modules)
    assert "License-Expression: MIT" in metadata
    assert re.search(r"Requires-Dist: picows(<2.4,>=2.3.1|>=2.3.1,<2.4)", metadata)


def test_picows_has_one_range_everywhere() -> None:
    lists = PROJECT["build-system"]["requires"], PROJECT["project"]["dependencies"]
    named = {name.removeprefix("picows") for names in lists for name in names if name.startswith("picows")}
    checker = (ROOT / "feeds" / "picows_version.py").read_text()
    assert named == set(re.findall(r'^SUPPORTED = "(.+)"', checker, re.M))


# ---- what it does there

def test_it_imports_from_where_it_was_installed(installed: Installed) -> None:
    modules = "orderbook.book, feeds.pipeline, feeds.transport, feeds.cli"
    places = installed.python(f"import {modules}; print(*(m.__file__ for m in ({modules})), sep='\\n')").split()
    assert all(str(installed.cwd) in place for place in places), places


def test_a_four_line_strategy_compiles_with_plain_cythonize(installed: Installed) -> None:
    (installed.cwd / "strategy.pyx").write_text(
        "from orderbook.book cimport Book\n"
        "cdef class Strategy:\n"
        "    cpdef bint may_trade(self, Book book):\n"
        "        return book.data != NULL and book.symbol == 'BTCUSDT'\n"
    )
    run(installed.bin / "cythonize", "-i", "strategy.pyx", cwd=installed.cwd)
    installed.python(
        "from orderbook import Book; from strategy import Strategy; book, strategy = Book(), Strategy(); "
        "assert not strategy.may_trade(book); book.symbol = 'BTCUSDT'; assert strategy.may_trade(book)"
    )


def capture_text() -> str:
    """A minute of an invented market in the format of the captures."""
    stream, rest = "wss://fstream.binance.com/stream", "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000"
    snapshot = {"lastUpdateId": 100, "E": 1000, "T": 1000, "bids": [["100.0", "2.0"], ["99.9", "1.5"]],
                "asks": [["100.1", "3"], ["100.2", "0.7"]]}
    lines = [f"1\t=\t{stream}", f"2\th\t{rest} {json.dumps(snapshot)}"]
    for step in range(60):
        u = 101 + step
        depth = {"e": "depthUpdate", "E": 1000 + step, "T": 1000 + step, "s": "BTCUSDT", "U": u - 1 if step == 0 else u,
                 "u": u, "pu": u - 1, "b": [["99.8", f"{step % 3}.5"]], "a": [["100.3", "0.000" if step % 2 else "4"]]}
        trade = {"e": "trade", "E": 1000 + step, "T": 1000 + step, "s": "BTCUSDT", "t": step + 1, "p": "100.1",
                 "q": "0.010", "X": "MARKET", "m": False}
        for name, data in (("depth@0ms", depth), ("trade", trade)):
            frame = json.dumps({"stream": f"btcusdt@{name}", "data": data}, separators=(",", ":"))
            lines.append(f"{1_000_000_000 + step * 10_000_000}\t<\t{frame}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def capture(installed: Installed) -> Path:
    path = installed.cwd / "binance_usdm" / "invented.ws"
    path.parent.mkdir(exist_ok=True)
    path.write_text(capture_text())
    return path


def test_replay_there(installed: Installed, capture: Path) -> None:
    document = json.loads(installed.wirebook("replay", "--json", capture))
    figures = document["symbols"]["BTCUSDT"]
    assert document["errors"] == 0
    assert (figures["updates"], figures["trades"]["count"], figures["trades"]["qty"]) == (60, 60, "0.6")
    assert figures["best_bid"] == ["100", "2"]
    assert (figures["bid_levels"], figures["ask_levels"], figures["status"]) == (3, 2, "LIVE")
    assert "BTCUSDT" in installed.wirebook("replay", capture)


@pytest.mark.parametrize("what", ["file", "sim"])
def test_serve_and_watch_there(what: str, installed: Installed, capture: Path) -> None:
    source = [str(capture), "--loop"] if what == "file" else ["--sim", "binance_usdm"]
    with Running(installed, "serve", *source, "--port", "0") as server:
        url = server.wait_for("ws://").splitlines()[0]
        with Running(installed, "watch", "binance_usdm", "BTCUSDT", "--url", url) as watcher:
            watcher.wait_for("LIVE" if what == "sim" else "BTCUSDT")


def test_demo_there(installed: Installed) -> None:
    report = installed.wirebook("demo", "--seconds", "2")
    assert "gaps" in report, report


@pytest.mark.parametrize("other", OTHERS)
def test_the_suite_passes_on_the_other_interpreters(other: str, workshop: Workshop) -> None:
    workshop.suites[other].result()


class Running:
    """A command that runs until Ctrl-C, and what it has said so far."""

    def __init__(self, installed: Installed, *arguments: str) -> None:
        self.said = installed.cwd / f"{arguments[0]}.out"
        self.complained = installed.cwd / f"{arguments[0]}.err"
        with self.said.open("w") as out, self.complained.open("w") as err:
            self.process = subprocess.Popen([installed.bin / "wirebook", *arguments], cwd=installed.cwd, stdout=out,
                                            stderr=err, stdin=subprocess.DEVNULL, start_new_session=True,
                                            env=os.environ | {"COLUMNS": "120"})

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=20)
        finally:
            end_group(self.process)
            self.process.wait()
        assert "Traceback" not in self.complained.read_text(), self.complained.read_text()

    def wait_for(self, text: str) -> str:
        """Everything said so far, as soon as `text` is in it; a fresh environment compiles its Python files first."""
        deadline = monotonic() + 40
        while text not in (said := self.said.read_text()):
            assert monotonic() < deadline and self.process.poll() is None, said + self.complained.read_text()
            sleep(0.05)
        return said
