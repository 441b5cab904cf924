"""Breaks the code on purpose, thing by thing, and looks whether the tests notice: `make mutants`.

    python -m tests.mutants.run prepare TREE    # in the checkout: TREE is a copy of it, whose sources get the mutants
    python -m tests.mutants.run                 # in that copy, after `prepare`: runs the tests, writes build/mutants.md

All mutants are compiled in at once (tests.mutants.change). The tests are collected once; then each is run to see which
mutants it reaches. Each mutant gets a process of its own, a fork of the first, that runs the tests which reach it, the
quickest first (behind those that caught others of that function), until one fails. A failure counts if it comes again.
What a first run has not caught, and is not spared, `--left --budget 0` tries with all tests that reach it.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.machinery
import json
import os
import pickle
import re
import resource
import runpy
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.mutants.change import Mutant, Place, changed, numbered, places_of
from tests.mutants.listed import LISTED
from tests.mutants.spared import SPARED

# File -> how many of its mechanical mutants are taken: those whose names have the lowest hash, so that a change of the
# file leaves the others as they were.
SHARES = {
    "feeds/sync.pxd": 50, "feeds/path.pxd": 60, "feeds/arbiter.pxd": 45, "feeds/lines.pxd": 40, "feeds/track.pxd": 15,
    "feeds/intake.pyx": 50, "orderbook/core.pxd": 40, "orderbook/ladder.pxd": 40, "orderbook/quantity.pxd": 8,
    "feeds/levelmap.pxd": 8, "feeds/odd.pxd": 15, "feeds/numbers.pxd": 30, "feeds/checksum.pxd": 20,
    "feeds/staleness.py": 25, "feeds/requests.py": 35, "feeds/connection.py": 20, "feeds/session.py": 20,
    "feeds/rollover.py": 10, "feeds/silence.py": 10,
}
SEED = 20261122
# What is compiled with mutants inside; the other modules are those of the checkout.
COMPILED = ("orderbook.book", "feeds.run_scalar", "feeds.run_simd", "feeds.run_avx2", "feeds.parser", "feeds.events",
            "feeds.intake", "feeds.pipeline", "tests._probe")
TESTS = ("tests/orderbook", *(f"tests/feeds/test_{name}.py" for name in (
    "sync", "path", "lines", "line_rules", "arbiter", "staleness", "requests", "pipeline", "states", "interleavings",
    "checksum", "numbers", "levelmap", "odd", "levels", "delivery", "events", "latency", "bad_input", "symbols",
    "threads", "memory", "fuzz_findings", "whole", "export_collect", "connection", "session", "silence", "lag",
    "storms", "names", "wire")),
    "tests/feeds/venues")
# They mostly wait, and see of the C code what the others see, too: for mutants of Python alone.
SLOW = {f"test_{name}.py" for name in ("connection", "session", "silence", "lag", "storms", "names", "wire")}
SWITCH = Path("build/switch")
HEADER = """#pragma once
extern int wb_mutant;
extern unsigned char wb_reached[];
static inline int wb_is(int n) { wb_reached[n] = 1; return __builtin_expect(wb_mutant == n, 0); }
"""
CYTHON = 'cdef extern from "wb_mutant.h":\n    bint wb_is(int n) noexcept nogil\n'
LAST = 1 << 14
FLAWED = 5              # tests that may fail without any mutant: on a busy machine, or as they start other programs
CAUGHT = ("killed", "crash", "timeout")


# ---- the copy

def plan() -> dict[str, list[Place]]:
    """File -> its places with the mutants that are taken, which are numbered through all files."""
    found: dict[str, list[Place]] = {}
    number = 1
    for file, share in SHARES.items():
        places = places_of(file, Path(file).read_text())
        every = [mutant.key for place in places for mutant in place.mutants]
        taken = set(sorted(every, key=lambda key: sha256(f"{SEED} {key}".encode()).digest())[:share])
        for place in places:
            place.mutants = [mutant for mutant in place.mutants if mutant.key in taken]
        add_listed(file, places)
        number = numbered(places, number)
        found[file] = places
    assert number < LAST
    return found


def add_listed(file: str, places: list[Place]) -> None:
    """Add the breakages that are listed for a file."""
    text = Path(file).read_text()
    for title, where, function, words, becomes in LISTED:
        if where != file:
            continue
        words, _, which = words.partition(" #")
        fits = [place for place in places if place.function == function
                and " ".join(words.split()) in " ".join(text[place.start:place.end].split())]
        if len(fits) != int(which or 1) and (which or len(fits) != 1):
            raise SystemExit(f"{file}: {function} has {len(fits)} places with {words!r}, of {title!r}")
        place = fits[-1]
        new = ""
        if becomes is not None:
            found = re.search(r"\s+".join(map(re.escape, words.split())), text[place.start:place.end])
            assert found is not None
            new = text[place.start:place.start + found.start()] + becomes + text[place.start + found.end():place.end]
        place.mutants.append(Mutant(file, function, place.line, "listed", words, new, title))


def prepare(tree: Path) -> None:
    """Write the mutants into a copy of the sources, and compile what holds them."""
    checkout = Path.cwd()
    os.chdir(tree)
    SWITCH.mkdir(parents=True, exist_ok=True)
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    for folder in ("orderbook", "feeds", "tests"):
        for path in (checkout / folder).rglob(f"*{suffix}"):
            name = path.relative_to(checkout)
            if ".".join(name.parts).removesuffix(suffix) not in COMPILED:
                shutil.copy2(path, tree / name)
    (SWITCH / "wb_mutant.h").write_text(HEADER)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", SWITCH / "switch.so", "-x", "c", "-"], check=True, text=True,
                   input=f"int wb_mutant; unsigned char wb_reached[{LAST}];")
    shutil.copy(checkout / "tests/mutants/switch.py", "wb_switch.py")
    originals = {file: (checkout / file).read_text() for file in SHARES}
    found = plan()
    refused: set[int] = set()
    while True:
        for file, places in found.items():
            for place in places:
                place.mutants = [mutant for mutant in place.mutants if mutant.number not in refused]
            Path(file).write_text(changed(originals[file], places,
                                          "from wb_switch import wb_is\n" if file.endswith(".py") else CYTHON))
        new = refused_by_cython(found)
        if not new:
            break
        refused |= new
    every = [mutant for places in found.values() for place in places for mutant in place.mutants]
    Path("build/mutants.pickle").write_bytes(pickle.dumps((every, len(refused))))
    compile_modules()
    print(f"{len(every)} mutants; {len(refused)} others do not compile")


def refused_by_cython(found: dict[str, list[Place]]) -> set[int]:
    """Numbers of the mutants in lines that Cython does not take."""
    refused = set()
    for module in ("orderbook.book", "feeds.pipeline", "feeds.intake", "tests._probe"):
        source = module.replace(".", "/") + ".pyx"
        done = subprocess.run([sys.executable, "-m", "cython", "-3", "-I.", "--module-name", module, "-o",
                               SWITCH / "out.c", source], capture_output=True, text=True)
        for file, line in set(re.findall(r"^(\S+?\.p(?:xd|yx)):(\d+):\d+:", done.stderr, re.M)):
            file = os.path.relpath(file)
            text = Path(file).read_text().splitlines()
            # A place that spans lines has its numbers in each of them or in those just before.
            near = " ".join(text[max(int(line) - 3, 0):int(line)])
            for numbers in (text[int(line) - 1], near):
                hit = {int(number) for number in re.findall(r"wb_is\((\d+)\)", numbers)}
                if hit:
                    refused |= hit
                    break
        if done.returncode and not refused:
            raise SystemExit(done.stderr[:4000])
        if refused:
            return refused
    return refused


def compile_modules() -> None:
    """What setup.py would compile, as far as it holds mutants."""
    import Cython.Build
    import setuptools

    os.environ["CFLAGS"] = f"-I{SWITCH.resolve()} -w"
    os.environ["WIREBOOK_OPT"] = "-O1"
    os.environ["WIREBOOK_PROBE"] = "1"
    given: dict[str, Any] = {}
    setup, cythonize = setuptools.setup, Cython.Build.cythonize
    Cython.Build.cythonize = lambda modules, **options: cythonize([m for m in modules if m.name in COMPILED], **options)
    setuptools.setup = given.update
    runpy.run_path("setup.py")
    setup(**given, script_args=["--quiet", "build_ext", "--inplace", "--build-temp", "build/temp", "--build-lib",
                                "build/lib"])


# ---- the tests

class Judge:
    """A pytest plugin: instead of running the tests once, it runs them for every mutant."""

    def __init__(self, mutants: list[Mutant], jobs: int, budget: float) -> None:
        self.mutants = mutants
        self.jobs = jobs
        self.budget = budget
        self.catchers: dict[tuple[str, str], Counter[int]] = {}     # (file, function) -> tests that caught some of it
        self.reaches: dict[int, list[int]] = {}         # number -> tests
        self.seconds: list[float] = []
        self.items: list[Any] = []
        self.fates: dict[int, tuple[str, str, float]] = {}      # number -> (fate, test, seconds)

    def pytest_configure(self) -> None:
        from hypothesis import Phase, settings

        # What a failure looks like at its smallest is of no use here.
        settings.register_profile("mutants", settings.get_profile("wirebook"), database=None, derandomize=True,
                                  phases=(Phase.explicit, Phase.generate))
        settings.load_profile("mutants")

    def pytest_runtestloop(self, session: Any) -> bool:
        self.items = session.items
        read, pid = self.fork(self.measure)
        self.seconds, reached, failed = pickle.loads(self.wait(read, pid, 3600.0)[0])
        for i in failed:
            print(f"left out, as it fails without any mutant: {self.items[i].nodeid}", flush=True)
        if len(failed) > FLAWED:
            raise SystemExit("too many tests fail without any mutant")
        for number, tests in reached.items():
            self.reaches[number] = sorted(set(tests) - set(failed), key=self.seconds.__getitem__)
        slowest = sorted(range(len(self.items)), key=lambda i: -self.seconds[i])[:15]
        print(*(f"{self.seconds[i]:.1f} s {self.items[i].nodeid}" for i in slowest), sep="\n")
        print(f"{len(self.items)} tests, {sum(self.seconds):.0f} s", flush=True)
        self.try_all()
        return True

    def measure(self) -> bytes:
        """Which mutants each test reaches, how long it takes, and which fail."""
        seconds, failed = [], []
        reached: dict[int, list[int]] = {}
        for i, _ in enumerate(self.items):
            ctypes.memset(SWITCHED.wb_reached, 0, LAST)
            start = time.monotonic()
            if self.first_failure([i]) is not None:
                failed.append(i)
            seconds.append(time.monotonic() - start)
            for number in range(LAST):
                if SWITCHED.wb_reached[number]:
                    reached.setdefault(number, []).append(i)
        return pickle.dumps((seconds, reached, failed))

    def first_failure(self, tests: list[int]) -> int | None:
        from _pytest.runner import runtestprotocol

        for i, following in zip(tests, [*tests[1:], None], strict=True):
            # A mutant may loop for ever, in C as well: then the signal ends the child.
            patient = self.items[i].path.name in SLOW
            signal.setitimer(signal.ITIMER_REAL, (60.0 if patient else 10.0) + (4 if patient else 20) * self.seconds[i]
                             if self.seconds else 0.0)
            last = None if following is None else self.items[following]
            reports = runtestprotocol(self.items[i], log=False, nextitem=last)
            if any(report.failed for report in reports):
                return i
        return None

    def fork(self, work: Any) -> tuple[int, int]:
        """A child that writes what `work` returns; (where to read it, its id)."""
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.setpgid(0, 0)
                nothing = os.open(os.devnull, os.O_RDWR)
                for number in (0, 1, 2):
                    os.dup2(nothing, number)
                resource.setrlimit(resource.RLIMIT_AS, (1 << 33, 1 << 33))
                result = work()
                with os.fdopen(write, "wb") as out:
                    out.write(result)
            finally:
                os._exit(0)
        os.close(write)
        return read, pid

    def wait(self, read: int, pid: int, timeout: float) -> tuple[bytes, str]:
        """What a child has written, and how it ended otherwise: "crash", "timeout" or ""."""
        deadline, found = time.monotonic() + timeout, b""
        how = ""
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([read], [], [], left)[0]:
                how = "timeout"
                os.killpg(pid, signal.SIGKILL)
                break
            part = os.read(read, 1 << 16)
            if not part:
                break
            found += part
        os.close(read)
        _, status = os.waitpid(pid, 0)
        if not how and os.WIFSIGNALED(status):
            how = "timeout" if os.WTERMSIG(status) == signal.SIGALRM else "crash"
        return found, how

    def judge(self, mutant: Mutant) -> tuple[str, str, float]:
        """(killed, crash, timeout, survived or not reached; the test; seconds)."""
        tests = [i for i in self.reaches.get(mutant.number, [])
                 if mutant.file.endswith(".py") or self.items[i].path.name not in SLOW]
        if not tests:
            return "not reached", "", 0.0
        caught = self.catchers.get((mutant.file, mutant.function), Counter())
        tests.sort(key=lambda i: (-caught[i], self.seconds[i]))
        spent = 0.0
        for place, i in enumerate(tests):
            spent += self.seconds[i]
            if spent > self.budget > 0:
                del tests[max(place, 1):]
                break
        start = time.monotonic()
        patience = 600.0 + 20.0 * sum(self.seconds[i] for i in tests)

        def attempt(tests: list[int]) -> tuple[str, int | None]:
            def work() -> bytes:
                SWITCHED.choose(mutant.number)
                return pickle.dumps(self.first_failure(tests))
            found, how = self.wait(*self.fork(work), patience)
            return how or "killed", pickle.loads(found) if found else None

        while True:
            how, failed = attempt(tests)
            if failed is None:
                break
            again, failed_again = attempt([failed])
            if again != "killed" or failed_again is not None:
                break
            tests = tests[tests.index(failed) + 1:]         # it failed once only: that tells nothing
        if how == "killed" and failed is None:
            how = "survived"
        return how, self.items[failed].nodeid if failed is not None else "", time.monotonic() - start

    def try_all(self) -> None:
        """Share the mutants among children that judge one after the other."""
        queue = list(self.mutants)
        running: dict[int, tuple[int, Mutant]] = {}     # fd -> (child, what it judges)
        while queue or running:
            while queue and len(running) < self.jobs:
                mutant = queue.pop(0)
                read, pid = self.fork(lambda mutant=mutant: pickle.dumps(self.judge(mutant)))
                running[read] = pid, mutant
            for read in select.select(list(running), [], [])[0]:
                pid, mutant = running.pop(read)
                found, how = self.wait(read, pid, 600.0)
                self.fates[mutant.number] = pickle.loads(found) if found else (how or "crash", "", 0.0)
                fate, test, seconds = self.fates[mutant.number]
                places = [i for i, item in enumerate(self.items) if item.nodeid == test]
                self.catchers.setdefault((mutant.file, mutant.function), Counter()).update(places)
                with Path("build/mutants.log").open("a") as log:
                    log.write(json.dumps([mutant.key, fate, test, seconds]) + "\n")
                print(f"{len(self.fates)}/{len(self.mutants)} {fate} {seconds:.1f} s {mutant.file} {mutant.function}:"
                      f"{mutant.line} {mutant.title or mutant.label} {test}", flush=True)


def table(fates: dict[tuple[str, ...], list[Any]], mutants: list[Mutant], refused: int) -> str:
    """What came of it, as text of a page."""
    rows: dict[str, Counter[str]] = {}
    open_ones = []
    for mutant in mutants:
        fate = fates[mutant.key][0]
        kind = "caught" if fate in CAUGHT else "left"
        if kind == "left" and mutant.key in SPARED:
            kind = "spared"
        if kind == "left":
            open_ones.append((mutant, fate))
        for name in ("the list" if mutant.kind == "listed" else mutant.file, "**all**"):
            rows.setdefault(name, Counter()).update(["all", kind])
    total = rows.pop("**all**")
    rows["**all**"] = total
    text = ["| file | mutants | caught | the same program | not caught |", "|---|---|---|---|---|"]
    text += [f"| {name} | {row['all']} | {row['caught']} | {row['spared']} | {row['left']} |"
             for name, row in rows.items()]
    share = 100.0 * total["caught"] / max(total["all"] - total["spared"], 1)
    text += ["", f"{share:.1f} % of those that are another program were caught; {refused} more do not compile.", ""]
    for mutant, fate in open_ones:
        text.append(f"- {mutant.file}:{mutant.line} {mutant.function}: `{mutant.title or mutant.label}` ({fate})")
    return "\n".join(text) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", nargs="?", choices=("prepare",))
    parser.add_argument("tree", nargs="?", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="a regular expression: those whose file, function or change fits it")
    parser.add_argument("--left", action="store_true", help="only those neither caught in runs before nor spared")
    parser.add_argument("--budget", type=float, default=15.0, help="seconds of tests for one mutant; 0: all tests")
    given = parser.parse_args()
    if given.what:
        prepare(given.tree.resolve())
        return 0
    import pytest

    mutants, refused = pickle.loads(Path("build/mutants.pickle").read_bytes())
    log, fates = Path("build/mutants.log"), {}
    if given.left and log.exists():
        for line in log.read_text().splitlines():
            key, *fate = json.loads(line)
            fates[tuple(key)] = fate
    else:
        log.unlink(missing_ok=True)
    if given.left:
        fates |= {key: ["the same program", "", 0.0] for key in SPARED}
    todo = [m for m in mutants if fates.get(m.key, [""])[0] not in CAUGHT and not (given.left and m.key in SPARED)
            and re.search(given.only, f"{m.file} {m.function} {m.label} {m.title}")]
    os.environ.setdefault("WIREBOOK_SEED", str(SEED))
    os.environ["LD_PRELOAD"] = str((SWITCH / "switch.so").resolve())        # for programs that tests start
    judge = Judge(todo, given.jobs, given.budget)
    tests = [name for name in TESTS if Path(name).exists()]
    done = pytest.main(["-q", "-s", "-p", "no:cacheprovider", "-m", "not slow", *tests], plugins=[judge])
    if len(judge.fates) < len(todo):
        return int(done) or 1
    fates |= {m.key: list(judge.fates[m.number]) for m in todo}
    known = [m for m in mutants if m.key in fates]
    text = table(fates, known, refused)
    Path("build/mutants.md").write_text(text)
    Path("build/mutants.json").write_text(json.dumps([{**asdict(m), "fate": fates[m.key]} for m in known], indent=1))
    print(text)
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] != "prepare":
        import wb_switch as SWITCHED
    sys.exit(main())
