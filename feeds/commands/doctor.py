"""`wirebook doctor`: what of this machine and this installation slows wirebook down, or keeps it from running."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import platform
import ssl
import struct
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import import_module, util
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

from feeds.commands.common import FAILED

GOOD, NOTE, SLOW, BAD = "good", "note", "slow", "bad"
FAST_CLOCKS = ("tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter", "xen")
CLOCK_READS = 20_000
SLOW_CLOCK_NS = 400             # of one reading from Python; about 60 by the vDSO, 300 and more as a system call
FEW_FILES = 1024
PICOWS_DEBUG = 9                # below it picows writes a line for every frame


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `verdict` is "good", "note" (nothing to do), "slow" or "bad" (it cannot work)."""

    name: str
    value: str
    verdict: str
    advice: str = ""


def run(as_json: bool) -> int:
    """Print all findings. Returns: the exit status, 1 if something cannot work."""
    found = examine()
    if as_json:
        print(json.dumps([asdict(finding) for finding in found], indent=2))
    else:
        width = max(len(finding.name) for finding in found)
        for finding in found:
            print(f"{finding.verdict:4}  {finding.name:{width}}  {finding.value}")
            if finding.advice:
                print(f"{'':{width + 8}}{finding.advice}")
    return FAILED if any(finding.verdict == BAD for finding in found) else 0


def examine(root: Path = Path("/")) -> list[Finding]:
    """Look at everything; `root` is where /sys and /proc are. What a machine does not tell is left out or noted."""
    found: list[Finding] = []
    for look in LOOKS:
        try:
            found += look(root)
        except Exception as error:      # a machine that answers in no known way is no reason to say nothing at all
            found.append(Finding(look.__name__.strip("_").replace("_", " "), "not found out", NOTE,
                                 f"{type(error).__name__}: {error}"))
    return found


def read(path: Path) -> str:
    """Text of a small file, "" if it cannot be read."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


# ---- the installation

def _python(root: Path) -> Iterator[Finding]:
    name = f"{platform.python_implementation()} {platform.python_version()}, {8 * struct.calcsize('P')} bit"
    yield Finding("python", name, GOOD)
    if hasattr(sys, "gettotalrefcount"):
        yield Finding("python build", "debug", SLOW, "a debug build counts every reference: use a release build")
    elif sysconfig.get_config_var("Py_GIL_DISABLED"):
        enabled = getattr(sys, "_is_gil_enabled", lambda: True)()
        yield Finding("python build", f"free-threaded, GIL {'on' if enabled else 'off'}", NOTE,
                      "wirebook has not been measured on it; one thread feeds a pipeline either way")
    else:
        yield Finding("python build", "release", GOOD)
    switches = [text for on, text in (
        (sys.flags.dev_mode, "development mode (-X dev, PYTHONDEVMODE)"),
        (os.environ.get("PYTHONASYNCIODEBUG"), "PYTHONASYNCIODEBUG"),
        ("debug" in os.environ.get("PYTHONMALLOC", ""), "PYTHONMALLOC with debug hooks"),
        (sys.gettrace() is not None, "a tracer or debugger"),
        (sys.getprofile() is not None, "a profiler")) if on]
    yield Finding("python switches", ", ".join(switches) or "none that slow", SLOW if switches else GOOD,
                  "leave them out in production" if switches else "")


def _runner(root: Path) -> Iterator[Finding]:
    from feeds.parser import best_runner

    machine = platform.machine() or "unknown machine"
    if best_runner() is not best_runner(simd=False):
        yield Finding("parser", f"SIMD runner on {machine}", GOOD)
    else:
        yield Finding("parser", f"scalar runner on {machine}", SLOW,
                      "the SIMD runner needs x86-64 with SSE 4.2 and POPCNT; results are the same without it")


def _numpy(root: Path) -> Iterator[Finding]:
    import numpy

    yield Finding("numpy", numpy.__version__, GOOD)


def _fitting_picows(root: Path) -> Iterator[Finding]:
    from feeds import picows_version  # raises where picows is outside of the range

    yield Finding("picows", f"{picows_version.installed()}, wanted {picows_version.SUPPORTED}", GOOD)
    compiled = (getattr(import_module("picows.picows"), "__file__", "") or "").endswith((".so", ".pyd"))
    if not compiled:
        yield Finding("picows build", "not compiled", BAD, "install the wheel of picows, or a compiler to build it")
    import_module("feeds.transport")
    yield Finding("transport", "compiled against this picows", GOOD)


def _picows(root: Path) -> Iterator[Finding]:
    """picows and what is compiled against it; an import that fails is a finding."""
    try:
        yield from list(_fitting_picows(root))
    except ImportError as error:
        yield Finding("picows", str(error), BAD, "pip install the version that is asked for; books and replay work "
                                                 "without it, live feeds do not")


# ---- network

def _tls(root: Path) -> Iterator[Finding]:
    yield Finding("tls library", ssl.OPENSSL_VERSION + ("" if ssl.HAS_TLSv1_3 else ", without TLS 1.3"),
                  GOOD if ssl.HAS_TLSv1_3 else NOTE, "" if ssl.HAS_TLSv1_3 else "newer versions shake hands faster")
    fast = installed("aiofastnet")
    if fast is None:
        yield Finding("tls engine", "that of asyncio", SLOW, "pip install aiofastnet, which picows uses if it is there")
    elif getattr(fast, "OPENSSL_DYN_LIBS", None) is None:
        yield Finding("tls engine", "fallback of aiofastnet", SLOW,
                      "this Python carries OpenSSL within itself (those of uv do); one that is linked to the system's "
                      "OpenSSL lets aiofastnet call it directly")
    else:
        yield Finding("tls engine", f"aiofastnet {release('aiofastnet')}, OpenSSL called directly", GOOD)


def _event_loop(root: Path) -> Iterator[Finding]:
    loop = asyncio.new_event_loop()
    kind = type(loop)
    loop.close()
    name = f"{kind.__module__}.{kind.__qualname__}"
    if "Proactor" in name:
        yield Finding("event loop", name, SLOW, "picows copies once more on it; take the selector loop, or winloop")
        return
    other = "" if kind.__module__.startswith("uvloop") else (
        f"uvloop {release('uvloop')} is there, too" if util.find_spec("uvloop") else "")
    yield Finding("event loop", name, GOOD, other and f"{other}: as fast for wirebook, as aiofastnet serves both")


def _logging(root: Path) -> Iterator[Finding]:
    if logging.getLogger("picows").isEnabledFor(PICOWS_DEBUG):
        yield Finding("logging", "picows logs every frame", SLOW, "set the level of the logger 'picows' to INFO")


# ---- the machine

def _clock(root: Path) -> Iterator[Finding]:
    place = root / "sys/devices/system/clocksource/clocksource0"
    source, others = read(place / "current_clocksource"), read(place / "available_clocksource").split()
    if not source:
        yield Finding("clock source", "not told", NOTE)
    elif source in FAST_CLOCKS:
        yield Finding("clock source", source, GOOD)
    else:
        better = [name for name in others if name in FAST_CLOCKS]
        yield Finding("clock source", source, SLOW, "every reading is a system call: boot with "
                      f"clocksource={better[0] if better else 'tsc'}, if the machine's is reliable")
    reading = clock_ns()
    yield Finding("clock reading", f"{reading:.0f} ns from Python", SLOW if reading > SLOW_CLOCK_NS else GOOD,
                  "the clock is read for every batch of frames and for sampled messages" if reading > SLOW_CLOCK_NS
                  else "")


def clock_ns() -> float:
    """What one reading of the monotonic clock takes, the best of a few tries."""
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter_ns()
        for _ in range(CLOCK_READS):
            time.monotonic_ns()
        best = min(best, (time.perf_counter_ns() - start) / CLOCK_READS)
    return best


def _governor(root: Path) -> Iterator[Finding]:
    paths = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
    governors = sorted({read(path) for path in paths} - {""})
    name = ", ".join(governors)
    if not governors:
        yield Finding("cpu governor", "not told", NOTE, "usual in virtual machines, where the host decides")
    elif governors == ["performance"]:
        yield Finding("cpu governor", name, GOOD)
    else:
        yield Finding("cpu governor", name, SLOW,
                      "cores may slow down between bursts: cpupower frequency-set -g performance")


def _cores(root: Path) -> Iterator[Finding]:
    cores = os.cpu_count() or 1
    ours = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    yield Finding("cores", f"{ours} of {cores}", GOOD if ours > 1 else SLOW, "" if ours > 1 else
                  "the feed shares its one core with everything else, the kernel's network work included")
    quota, _, period = read(root / "sys/fs/cgroup/cpu.max").partition(" ")
    if quota.isdigit() and period.isdigit():
        share = int(quota) / int(period)
        yield Finding("cpu quota", f"{share:.2f} cores", SLOW if share < 2 else NOTE,
                      "what is used up stops the process for the rest of each period: ask for whole cores")
    load = read(root / "proc/loadavg").split()
    if load and float(load[0]) > ours:
        yield Finding("load", f"{load[0]} on {ours} cores", SLOW,
                      "others keep the cores busy: frames wait for their turn")


def _limits(root: Path) -> Iterator[Finding]:
    try:
        import resource
    except ImportError:                 # not on this platform
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = soft != resource.RLIM_INFINITY and soft <= FEW_FILES
    yield Finding("open files", f"{soft} of {hard}", NOTE if few else GOOD,
                  "enough for a feed; `ulimit -n` if hundreds of connections are made" if few else "")


def installed(name: str) -> ModuleType | None:
    """A module, None if there is none."""
    try:
        return import_module(name)
    except ImportError:
        return None


def release(name: str) -> str:
    """Version of an installed package, "" if it does not say."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


LOOKS: tuple[Callable[[Path], Iterator[Finding]], ...] = (
    _python, _runner, _numpy, _picows, _tls, _event_loop, _logging, _clock, _governor, _cores, _limits)
