"""Extensions and compiler directives; everything else about the package is in pyproject.toml.

ORDERBOOK_DEBUG=1 makes the checked build. Each kind is built in its own copy of the tree (see the Makefile).
"""

import os
import platform
import sys
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("ORDERBOOK_DEBUG") == "1"
JOBS = os.cpu_count() or 1
C_FILES = f"build/cython-{sys.version_info[0]}.{sys.version_info[1]}"    # they depend on the environment's numpy

DIRECTIVES = {
    "language_level": "3", "boundscheck": DEBUG, "wraparound": DEBUG, "initializedcheck": DEBUG,
    "cdivision": True, "freethreading_compatible": True, "embedsignature": True, "binding": False,
}

# No lines for debuggers, whatever Python itself was built with: they are most of a module and 30 % of the time that it
# compiles. WIREBOOK_OPT="-O3 -g" has them, as a profiler of lines wants; "-O1 -g0" is for builds that are tested and
# thrown away. Inline functions of a .pxd are emitted wherever it is cimported, used or not.
FLAGS = [*os.environ.get("WIREBOOK_OPT", "-O3 -g0").split(), "-Wno-unused-function"]

# The layouts' runner is compiled once for any machine and once for x86-64 with SSE4.2; feeds.parser picks at run time.
X86 = platform.machine() in ("x86_64", "AMD64")

MODULES = {
    "orderbook.types": [],
    "orderbook.book": [],
    "orderbook.consolidated": [],
    "orderbook.crossings": [],
    "orderbook.analytics": [],
    "orderbook.tape": [],
    "feeds.run_scalar": [],
    "feeds.fields": [],
    "feeds.parser": [],
    "feeds.events": [],
    "feeds.handler": [],
    "feeds.intake": [],
    "feeds.pipeline": [],
    "feeds.transport": [],
    "feeds.export.collect": [],
    "feeds.recording.tap": [],
    "feeds.recording.play": [],
    "feeds.checkpoint": [],
}
VENUES = {f"feeds.venues.{path.stem}": [] for path in sorted(Path("feeds/venues").glob("*.pyx"))}

if X86:
    MODULES["feeds.run_simd"] = ["-msse4.2", "-mpopcnt"]
    MODULES["feeds.run_avx2"] = ["-mavx2", "-mbmi", "-mbmi2", "-mpopcnt"]
if os.environ.get("WIREBOOK_PROBE") == "1":     # for the suite, never in a wheel
    MODULES |= {"tests._probe": [], "tests._decode": []}


def extension(name: str, flags: list[str]) -> Extension:
    return Extension(
        name, [name.replace(".", "/") + ".pyx"], include_dirs=[numpy.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        extra_compile_args=FLAGS + flags,
    )


def compiled(modules: dict[str, list[str]], **directives: bool) -> list[Extension]:
    return cythonize(
        [extension(name, flags) for name, flags in modules.items()],
        compiler_directives=DIRECTIVES | directives, nthreads=JOBS, build_dir=C_FILES,
    )


setup(
    # A venue's facts are Python that takes lists from outside apart; the checks cost its parser, which is C, nothing.
    ext_modules=compiled(MODULES) + compiled(VENUES, boundscheck=True, wraparound=True),
    options={"build_ext": {"parallel": JOBS}},
)
