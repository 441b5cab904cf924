"""The import table of the project as a test: who may import whom, and who may know which library.

A module may import what stands above it in the table, and what shares its line. Imports are read from the source text,
so that `cimport` and imports inside functions count too.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from feeds.venues import VENUES

ROOT = Path(__file__).resolve().parent.parent

# Line of the table -> the modules on it. "x.*" is every module below x; the first match counts.
LINES = {
    "orderbook": ["orderbook", "orderbook.*"],
    "scan": ["feeds.scan", "feeds.checksum", "feeds.message", "feeds.numbers", "feeds.symbols", "feeds.routes",
             "feeds.shape", "feeds.element", "feeds.layout", "feeds.stencil", "feeds.window_simd", "feeds.engine",
             "feeds.levels", "feeds.levelmap", "feeds.whole", "feeds.odd", "feeds.protobuf", "feeds.pairs", "feeds.sbe",
             "feeds.fields"],
    "judge": ["feeds.parser", "feeds.run", "feeds.run_scalar", "feeds.run_simd", "feeds.run_avx2",
              "feeds.run_wide", "feeds.sync", "feeds.arbiter", "feeds.lines", "feeds.venue", "feeds.instruments",
              "feeds.listing", "feeds.track", "feeds.events", "feeds.handler", "feeds.latency", "feeds.report",
              "feeds.extras"],
    "registry": ["feeds.venues"],
    "dialect": ["feeds.venues.dialects", "feeds.venues.dialects.*"],
    "lists": ["feeds.venues.lists", "feeds.venues.lists.*"],
    "talk": ["feeds.venues.talk", "feeds.venues.talk.*"],
    "venue": ["feeds.venues.*"],
    "pipeline": ["feeds.path", "feeds.intake", "feeds.books", "feeds.statelog", "feeds.pipeline",
                 "feeds.recording.form", "feeds.recording.tap"],
    "outside": ["feeds.transport", "feeds.deflate", "feeds.picows_version", "feeds.capture", "feeds.figures",
                "feeds.rest", "feeds.session", "feeds.connection", "feeds.requests", "feeds.plan", "feeds.readers",
                "feeds.directory", "feeds.names", "feeds.chains", "feeds.rollover", "feeds.audit", "feeds.silence",
                "feeds.staleness", "feeds.rerun", "feeds.sources", "feeds.checkpoint", "feeds.jobs",
                "feeds.recording", "feeds.recording.*", "feeds.plotdata", "feeds.plots", "feeds.export",
                "feeds.export.*"],
    "top": ["feeds.simulator", "feeds.simulator.*", "feeds.cli", "feeds.commands", "feeds.commands.*"],
    "package": ["feeds"],
}

# Line -> the lines it may import.
MAY = {
    "orderbook": {"orderbook"},
    "scan": {"orderbook", "scan"},
    "judge": {"orderbook", "scan", "judge"},
    "registry": {"judge"},
    "lists": {"judge"},
    "talk": {"judge", "lists"},
    "venue": {"orderbook", "scan", "judge", "lists", "talk"},
    "dialect": {"judge", "registry", "dialect", "top"},       # what a simulated venue writes of a simulated market
    "pipeline": {"orderbook", "scan", "judge", "registry", "pipeline"},
    "outside": {"orderbook", "scan", "judge", "registry", "pipeline", "outside"},
    "top": {"orderbook", "scan", "judge", "registry", "venue", "pipeline", "outside", "top", "package",
            "dialect"},
    "package": {"orderbook", "judge", "registry", "pipeline", "outside"},
}

# Single modules that may see less than their line.
ONLY = {
    "feeds.scan": {"orderbook.types", "orderbook.update", "feeds.message"},
    "feeds.checksum": {"orderbook.core", "orderbook.ladder", "feeds.message"},
    "feeds.message": {"orderbook.types", "orderbook.update", "feeds.whole"},
    "feeds.symbols": {"orderbook.types", "orderbook.update", "feeds.message", "feeds.whole"},
    "feeds.venues": {"feeds.venue"},
}

# Library -> the modules that may know it, on top of the simulator and the commands. A session is made of connections.
LIBRARIES = {
    "picows": {"feeds.transport", "feeds.session", "feeds.picows_version"},
    "aiofastnet": {"feeds.transport", "feeds.session"},
    "asyncio": {"feeds.transport", "feeds.rest", "feeds.session", "feeds.connection", "feeds.silence",
                "feeds.directory", "feeds.chains", "feeds.rollover", "feeds.audit", "feeds.rerun", "feeds.readers"},
    "aiohttp": {"feeds.rest"},
    "socket": {"feeds.transport", "feeds.rest", "feeds.session"},
    "msgspec": {"feeds.rest", "feeds.session", "feeds.figures", "feeds.capture", "feeds.directory",
                "feeds.checkpoint"},
    "pyarrow": {"feeds.export.arrow", "feeds.export.tardis"},
    "matplotlib": {"feeds.plots"},
    "distributed": {"feeds.jobs"},
    "typer": set(),
    "rich": set(),
}

CIMPORT = re.compile(
    r"^\s*(?:from\s+([\w.]+)\s+c?import\s+(\([^)]*\)|.+)"     # from x cimport y, z
    r"|c?import\s+([\w., ]+?)(?:\s+as\s+\w+)?\s*)$", re.M)   # cimport x, y


def module_name(path: Path) -> str:
    """orderbook/book.pyx -> orderbook.book; a package is called after its folder."""
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def python_imports(source: str) -> set[str]:
    """Every name imported by Python source; `from x import y` gives x and x.y."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute in this project"
            found.add(node.module or "")
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def cython_imports(source: str) -> set[str]:
    """The same for Cython source, whose cimports the Python grammar does not know."""
    source = re.sub(r'"""[\s\S]*?"""|#.*', "", source).replace("\\\n", " ")
    found: set[str] = set()
    for base, names, plain in CIMPORT.findall(source):
        if base:
            assert not base.startswith("."), "imports are absolute in this project"
            found.add(base)
            found.update(f"{base}.{name.split()[0]}" for name in names.strip("() \n").split(",") if name.strip())
        else:
            found.update(name.split()[0] for name in plain.split(",") if name.strip())
    return found


SOURCES = sorted(
    path
    for package in ("orderbook", "feeds")
    for path in (ROOT / package).rglob("*")
    if path.suffix in {".py", ".pyx", ".pxd", ".pxi", ".pyi"} and path.stat().st_size
)
MODULES = {module_name(path) for path in SOURCES} | {"orderbook", "feeds"}


def imports_of(path: Path) -> set[str]:
    source = path.read_text()
    return python_imports(source) if path.suffix in {".py", ".pyi"} else cython_imports(source)


def own_imports(path: Path) -> set[str]:
    """The modules of this project that a file imports."""
    return {name for name in imports_of(path) if name in MODULES} - {module_name(path)}


def line_of(module: str) -> str:
    for line, names in LINES.items():
        for name in names:
            if module == name or (name.endswith(".*") and module.startswith(name[:-1])):
                return line
    raise AssertionError(f"{module} has no line in the import table")


def identify(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_form_of_import_is_seen() -> None:
    cython = "from a.b cimport (c,\n    d as e)\ncimport f\nimport g as h\n# import k\n"
    assert cython_imports(cython) >= {"a.b", "a.b.c", "a.b.d", "f", "g"}
    assert not cython_imports(cython) & {"h", "k", "e"}
    assert python_imports("def f():\n    from a import b\nimport c.d as e") == {"a", "a.b", "c.d"}


@pytest.mark.parametrize("path", SOURCES, ids=identify)
def test_a_module_imports_only_what_stands_above_it(path: Path) -> None:
    module = module_name(path)
    for name in sorted(own_imports(path)):
        if name == "feeds" and any(other.startswith("feeds.") for other in own_imports(path)):
            continue  # `from feeds import x` of a submodule names the package only on the way
        assert line_of(name) in MAY[line_of(module)], f"{module} imports {name}, which stands below it"
        if module in ONLY:
            assert name in ONLY[module], f"{module} imports {name}"


@pytest.mark.parametrize("path", SOURCES, ids=identify)
def test_a_venue_knows_no_other_venue_and_nobody_knows_a_venue(path: Path) -> None:
    module = module_name(path)
    venues = {name for name in own_imports(path) if name.startswith("feeds.venues.")}
    if line_of(module) in {"venue", "talk"}:
        beside = ("feeds.venues.lists", "feeds.venues.talk")
        venues -= {*beside, *(f"{package}.{module.rpartition('.')[2]}" for package in beside)}
    if line_of(module) not in {"top", "registry", "dialect"}:
        assert not venues, f"{module} imports {venues}"


def test_no_venue_is_named_outside_the_folder_of_venues() -> None:
    """Neither in code nor in a comment: what the generic layers do, they do for all."""
    name = re.compile("|".join(sorted({venue.partition("_")[0] for venue in VENUES})), re.I)
    kinds = {".py", ".pyx", ".pxd", ".pxi", ".pyi"}
    named = [f"{identify(path)}:{number}: {line.strip()}" for package in ("orderbook", "feeds")
             for path in sorted((ROOT / package).rglob("*.p*"))
             if path.suffix in kinds and ROOT / "feeds" / "venues" not in path.parents
             for number, line in enumerate(path.read_text().splitlines(), 1) if name.search(line)]
    assert not named, "\n".join(named)


@pytest.mark.parametrize("path", SOURCES, ids=identify)
def test_libraries_are_known_where_the_table_says(path: Path) -> None:
    module = module_name(path)
    roots = {name.split(".")[0] for name in imports_of(path)}
    if line_of(module) == "orderbook":
        allowed = set(sys.stdlib_module_names) | {"libc", "cpython", "cython", "numpy", "orderbook"}
        allowed -= {"asyncio", "socket", "ssl", "time", "threading"}
        assert roots <= allowed, f"{module} imports {roots - allowed}"
    elif line_of(module) != "top":
        for library, known_by in LIBRARIES.items():
            assert library not in roots or module in known_by, f"{module} imports {library}"


@pytest.mark.parametrize("path", [p for p in SOURCES if p.suffix == ".pxd"], ids=identify)
def test_a_public_pxd_needs_no_foreign_include_path(path: Path) -> None:
    """A strategy compiles against the installed wheel with plain `cythonize -i`."""
    roots = {name.split(".")[0] for name in imports_of(path)}
    assert not roots & {"numpy", "picows", "aiofastnet"}, f"{identify(path)} cimports {roots}"
    quoted = re.findall(r'extern\s+from\s+"([^"]+)"', path.read_text())
    ours = [name for name in quoted if not name.endswith("intrin.h") and not name.startswith("<")]
    assert not ours, f"{identify(path)} includes {ours}, which the wheel does not have"


def test_every_compiled_module_has_its_stub() -> None:
    # nothing in them is called from Python
    internal = {"feeds.run_scalar", "feeds.run_simd", "feeds.run_avx2", "feeds.intake", "feeds.fields"}
    missing = [identify(p) for p in SOURCES if p.suffix == ".pyx" and p.parent.name != "venues"
               and module_name(p) not in internal and not p.with_suffix(".pyi").exists()]
    assert not missing, f"no .pyi beside {missing}"


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def test_importing_feeds_loads_no_network_code() -> None:
    loaded = run("import sys, feeds; print(*{name.split('.')[0] for name in sys.modules})").split()
    assert not {"picows", "aiohttp", "asyncio", "typer", "rich", "msgspec", "pyarrow"} & set(loaded)


def test_importing_orderbook_needs_numpy_only_and_is_quick() -> None:
    code = (
        "import sys, time; before = set(sys.modules); start = time.process_time(); import orderbook; "
        "spent = time.process_time() - start; "
        "print(spent, *{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    runs = [run(code).split() for _ in range(3)]        # CPU time, as others may keep the machine busy
    foreign = set(runs[0][1:]) - set(sys.stdlib_module_names) - {"orderbook", "numpy"}
    foreign = {name for name in foreign if not name.startswith(("_", "cython_runtime"))}
    assert not foreign, f"import orderbook loads {foreign}"
    assert min(float(line[0]) for line in runs) < 0.150
