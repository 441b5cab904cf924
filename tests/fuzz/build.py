"""Compiles what the fuzz targets need, with clang, its sanitizers and its coverage counters: see docs/fuzzing.md.

Run in a copy of the tree (`make fuzz` makes it in build/fuzz); modules go beside their sources there. setup.py says
what there is to compile and how; here it is only told to take fewer modules, another compiler, and the drivers.
"""

from __future__ import annotations

import argparse
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

RUNTIME = Path("build/libfuzzer.so")            # preloaded: every module counts into it
FLAGS = (
    "-fsanitize=fuzzer-no-link,address,undefined",
    # A negative number shifted left is defined by gcc and clang, and a page of negative prices is found that way.
    "-fno-sanitize=shift-base", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer", "-g1",
    # Cython leaves unused functions and macros behind, and clang warns of more than gcc does.
    "-Wno-unused", "-Wno-unknown-warning-option", "-Wno-unreachable-code",
    "-Wno-incompatible-pointer-types-discards-qualifiers",
)
# Counted are the C functions. What turns them into Python's, and what makes a module, is the same in every run.
COUNTED = "src:*\nfun:__pyx_f_*\nfun:__pyx_fuse_*\nfun:wb_*\n"
# Cython adds 0 to a NULL pointer where a function was called without arguments.
NOT_CHECKED = "[pointer-overflow]\nfun:__pyx_pw_*\nfun:__pyx_tp_*\nfun:__Pyx_*\n"

# libFuzzer looks at these besides the compiler's: a driver of Python code counts lines here.
COUNTERS = """
__attribute__((section("__libfuzzer_extra_counters"), used)) unsigned char wirebook_counters[1 << 12];
const unsigned int wirebook_n_counters = 1 << 12;
"""

# What is loaded whenever the pipeline is, what venues share, and the drivers.
CORE = ("orderbook.types", "orderbook.book", "orderbook.consolidated", "orderbook.crossings", "feeds.run_scalar",
        "feeds.run_simd", "feeds.run_avx2", "feeds.fields", "feeds.parser", "feeds.events", "feeds.handler",
        "feeds.intake", "feeds.pipeline", "feeds.recording.tap", "tests.fuzz._venue", "tests.fuzz._text")
GROUPS = {"parsers", "paths", "all"}            # of targets that need every venue


class Missing(Exception):
    """Something this machine does not have."""


def find_clang(name: str) -> str:
    """Path of clang; raises Missing, saying what to do, if it or libFuzzer is not there."""
    path = shutil.which(name)
    if path is None:
        raise Missing(f"there is no {name!r} here. Fuzzing needs clang with libFuzzer: on Debian and Ubuntu `apt "
                      "install clang libclang-rt-dev` (libclang-rt-14-dev with clang 14); or say where it is: "
                      "make fuzz CLANG=/usr/lib/llvm-14/bin/clang")
    for part in ("fuzzer_no_main", "asan"):
        if runtime(path, part) is None:
            raise Missing(f"{path} is there, but its runtime libraries are not (clang_rt.{part}): on Debian and Ubuntu "
                          "`apt install libclang-rt-dev`, with the version of clang in its name where it has one")
    return path


def runtime(clang: str, part: str) -> Path | None:
    """A library of the compiler's own; None if it is not installed."""
    machine = os.uname().machine
    for name in (f"libclang_rt.{part}-{machine}.so", f"libclang_rt.{part}-{machine}.a", f"libclang_rt.{part}.so",
                 f"libclang_rt.{part}.a"):
        found = subprocess.run([clang, f"-print-file-name={name}"], capture_output=True, text=True, check=True).stdout
        if "/" in found:
            return Path(found.strip())
    return None


def make_runtime(clang: str) -> None:
    """libFuzzer as a shared library, with counters that a driver may set itself."""
    if RUNTIME.exists():
        return
    RUNTIME.parent.mkdir(exist_ok=True)
    subprocess.run([clang, "-shared", "-fPIC", "-O1", "-o", RUNTIME, "-x", "c", "-", "-x", "none",
                    "-Wl,--whole-archive", runtime(clang, "fuzzer_no_main"), "-Wl,--no-whole-archive",
                    "-lstdc++", "-lpthread", "-ldl", "-lm"],
                   input=COUNTERS, text=True, check=True)


def compile_modules(clang: str, wanted: set[str]) -> None:
    """What setup.py would compile, as far as it is wanted, and the drivers."""
    import Cython.Build
    import setuptools

    Path("build").mkdir(exist_ok=True)
    counted, unchecked = Path("build/counted.txt").resolve(), Path("build/not_checked.txt").resolve()
    counted.write_text(COUNTED)
    unchecked.write_text(NOT_CHECKED)
    os.environ["CC"] = clang
    os.environ["CFLAGS"] = " ".join((
        *FLAGS, f"-fsanitize-coverage-allowlist={counted}", f"-fsanitize-ignorelist={unchecked}"))
    os.environ["WIREBOOK_OPT"] = "-O1"
    os.environ.pop("WIREBOOK_PROBE", None)
    given: dict = {}
    setup, cythonize = setuptools.setup, Cython.Build.cythonize
    Cython.Build.cythonize = lambda modules, **options: cythonize([m for m in modules if m.name in wanted], **options)
    setuptools.setup = given.update
    names = runpy.run_path("setup.py")
    drivers = {name: [] for name in wanted if name.startswith("tests.")}
    setup(ext_modules=given["ext_modules"] + names["compiled"](drivers), options=given["options"],
          script_args=["--quiet", "build_ext", "--inplace", "--build-temp", "build/objects",
                       "--build-lib", "build/lib"])


def venues_of(targets: list[str]) -> list[str]:
    """Names of the venue modules that these targets need: all for a group, htx for `inflate`, binance for
    binance_spot.path."""
    venues = [path.stem for path in sorted(Path("feeds/venues").glob("*.pyx"))]
    if not targets or not GROUPS.isdisjoint(targets):
        return venues
    targets = ["htx" if name == "inflate" else name for name in targets]
    return [venue for venue in venues if any(name.startswith(venue) for name in targets)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*", help="what is going to be run; nothing is everything")
    parser.add_argument("--clang", default="clang")
    given = parser.parse_args()
    try:
        clang = find_clang(given.clang)
    except Missing as error:
        print(f"make fuzz: {error}", file=sys.stderr)
        return 2
    make_runtime(clang)
    compile_modules(clang, {*CORE, *(f"feeds.venues.{name}" for name in venues_of(given.targets))})
    return 0


if __name__ == "__main__":
    sys.exit(main())
