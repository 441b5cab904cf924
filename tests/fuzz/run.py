"""Runs the fuzz targets, one process each, and keeps count: see docs/fuzzing.md.

    python -m tests.fuzz.run [--minutes M] [--clang CLANG] [--input FILE] [TARGET ...]

TARGET -- a target, a group (text, parsers, paths, all), or nothing for all. The minutes are shared out evenly. What
was found stays in build/corpus and is where the next run begins; what broke a rule is in build/findings; figures of
all runs so far are in build/executions.json. Ends with 1 if a rule was broken, with 2 if something is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.fuzz import build, corpus

TEXT = ("scan", "numbers", "protobuf", "decimal", "json")
OTHER = ("inflate", "deflate", "capture")
GROUPS = {
    "text": TEXT,
    "other": OTHER,
    "parsers": tuple(corpus.TARGETS),
    "paths": tuple(f"{name}.path" for name in corpus.TARGETS),
}
GROUPS["all"] = tuple(target for group in list(GROUPS.values()) for target in group)
SAME_CORPUS = {"json": "scan", "decimal": "numbers"}
LONGEST = {"numbers": 96, "decimal": 96, "scan": 512, "json": 512, "protobuf": 512}     # bytes of an input; else 2048
FIGURES = Path("build/executions.json")
CHILD = """
import sys
from importlib import import_module
module, *first = sys.argv[1].split(" ")
import_module("tests.fuzz." + module).run(*(part or None for part in first), ["fuzz", *sys.argv[2:]])
"""


def driver(target: str) -> str:
    """Module of a target and what its `run` gets before the arguments: a venue's name, its market and wire form."""
    if target in TEXT:
        return f"_text {target}"
    name, _, way = target.partition(".")
    if target in OTHER:
        name, way = "htx", name                           # whose frames are gzip members
    venue, market, wire = corpus.TARGETS[name]
    return f"_venue {way or 'parse'} {venue} {market or ''} {wire or ''}"


def command(target: str, seconds: int, seed: int) -> list[str]:
    """The command line of a target's process."""
    name = SAME_CORPUS.get(target, target)
    found, words = Path("build/corpus") / target, Path("build/words") / name
    for folder in (found, words.parent, Path("build/findings")):
        folder.mkdir(parents=True, exist_ok=True)
    corpus.write_words(words, name)
    return [sys.executable, "-c", CHILD, driver(target), f"-max_total_time={seconds}", f"-seed={seed}",
            f"-max_len={LONGEST.get(target, 4096 if target.endswith('.path') else 2048)}", "-timeout=20",
            "-rss_limit_mb=2048", "-detect_leaks=0", "-print_final_stats=1", "-reload=0", f"-dict={words}",
            f"-artifact_prefix=build/findings/{target}-", str(found), str(corpus.FOLDER / name)]


def look(target: str, path: str, clang: str) -> int:
    """Run a target on one input, a file below build/, with everything it has to say."""
    made = [*command(target, 0, 1)[:4], "-detect_leaks=0", str(Path("build") / path)]
    return subprocess.run(made, env=environment(clang), check=False).returncode


def environment(clang: str) -> dict[str, str]:
    """What the process of a target needs: libFuzzer and the address sanitizer before all else."""
    made = subprocess.run([clang, "-print-prog-name=llvm-symbolizer"], capture_output=True, text=True, check=True)
    symbols = shutil.which(made.stdout.strip()) or ""
    return os.environ | {
        "LD_PRELOAD": f"{build.RUNTIME.resolve()} {build.runtime(clang, 'asan')}",
        # What Python keeps to its end is no leak.
        "ASAN_OPTIONS": "detect_leaks=0:verify_asan_link_order=0:quarantine_size_mb=8:"
                        f"allocator_may_return_null=1:external_symbolizer_path={symbols}",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc", "PYTHONPATH": os.getcwd(), "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1",
    }


def fuzz(target: str, seconds: int, seed: int, clang: str) -> dict:
    """One run of a target: executions, seconds, corpus, and what broke (None: nothing)."""
    begun = time.monotonic()
    log = Path("build/findings") / f"{target}.log"
    made = command(target, seconds, seed)
    with log.open("wb") as out:
        code = subprocess.run(made, env=environment(clang), stdout=out, stderr=subprocess.STDOUT,
                              check=False).returncode
    text = log.read_text(errors="replace")
    broken = re.search(r"broken rule: .*|ERROR: .*|runtime error: .*|SUMMARY: .*", text) if code else None
    executed = re.search(r"number_of_executed_units: (\d+)", text)
    covered = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", text)
    if not code:
        log.unlink()
    return {
        "executions": int(executed[1]) if executed else 0, "seconds": round(time.monotonic() - begun, 1),
        "edges": int(covered[-1][0]) if covered else 0, "inputs": int(covered[-1][2]) if covered else 0,
        "broken": (broken[0] if broken else f"ended with {code}, see {log}") if code else None,
    }


def keep(target: str, result: dict) -> dict:
    """Add a run to the figures of all runs; returns the target's."""
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    total = figures.setdefault(target, {"executions": 0, "seconds": 0.0, "findings": 0})
    total["executions"] += result["executions"]
    total["seconds"] = round(total["seconds"] + result["seconds"], 1)
    total["findings"] += result["broken"] is not None
    total["edges"], total["inputs"] = result["edges"], result["inputs"]
    FIGURES.write_text(json.dumps(figures, indent=1, sort_keys=True))
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clang", default="clang")
    parser.add_argument("--seed", type=int, default=0, help="0 is a new one each time")
    parser.add_argument("--input", help="one input of one target, below build/")
    given = parser.parse_args()
    targets = []
    for name in given.targets or ["all"]:
        if name not in GROUPS and name not in GROUPS["all"]:
            print(f"make fuzz: no target {name!r}; there are {', '.join((*GROUPS, *GROUPS['all']))}", file=sys.stderr)
            return 2
        targets += GROUPS.get(name, (name,))
    try:
        clang = build.find_clang(given.clang)
    except build.Missing as error:
        print(f"make fuzz: {error}", file=sys.stderr)
        return 2
    if not corpus.FOLDER.is_dir():              # a source distribution has none
        corpus.main()
    if given.input:
        return look(targets[0], given.input, clang)
    seconds = max(1, round(given.minutes * 60 / len(targets)))
    print(f"{'target':24}{'executions':>12}{'a second':>10}{'edges':>8}{'inputs':>8}{'all runs':>14}")
    failed = False
    for target in targets:
        result = fuzz(target, seconds, given.seed, clang)
        total = keep(target, result)
        rate = result["executions"] / result["seconds"]
        print(f"{target:24}{result['executions']:>12,}{rate:>10,.0f}{result['edges']:>8,}{result['inputs']:>8,}"
              f"{total['executions']:>14,}  {result['broken'] or ''}", flush=True)
        failed |= result["broken"] is not None
    return failed


if __name__ == "__main__":
    sys.exit(main())
