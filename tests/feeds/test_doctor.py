"""`wirebook doctor`: what it finds on machines as they are and as they might be."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from feeds.cli import app
from feeds.commands import doctor
from feeds.commands.doctor import BAD, GOOD, NOTE, SLOW, examine


@pytest.fixture
def machine(tmp_path):
    """A function that lays files under an empty root: machine({"proc/loadavg": "0.1"})."""
    def lay(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")
        return {finding.name: finding for finding in examine(tmp_path)}

    return lay


CLOCK = "sys/devices/system/clocksource/clocksource0/"


def test_this_machine_is_found_out_whole():
    found = {finding.name: finding for finding in examine()}
    assert {"python", "python build", "parser", "numpy", "picows", "transport", "tls library", "tls engine",
            "event loop", "clock source", "clock reading", "cpu governor", "cores"} <= set(found)
    assert {finding.verdict for finding in found.values()} <= {GOOD, NOTE, SLOW}
    assert found["python"].value.startswith("CPython 3.")
    assert all(finding.advice for finding in found.values() if finding.verdict in (SLOW, BAD))
    assert not any("not found out" in finding.value for finding in found.values()), found


def test_a_machine_that_tells_nothing_is_no_trouble(machine):
    found = machine({})
    assert (found["clock source"].verdict, found["cpu governor"].verdict) == (NOTE, NOTE)
    assert "load" not in found
    assert "cpu quota" not in found


@pytest.mark.parametrize("source, others, verdict, words", [
    ("tsc", "tsc hpet acpi_pm", GOOD, ""), ("kvm-clock", "kvm-clock tsc", GOOD, ""), ("arch_sys_counter", "", GOOD, ""),
    ("hpet", "hpet kvm-clock", SLOW, "clocksource=kvm-clock"), ("acpi_pm", "acpi_pm", SLOW, "clocksource=tsc"),
])
def test_clock_sources(machine, source, others, verdict, words):
    finding = machine({CLOCK + "current_clocksource": source, CLOCK + "available_clocksource": others})["clock source"]
    assert (finding.value, finding.verdict) == (source, verdict)
    assert words in finding.advice


def test_governors_of_all_cores(machine):
    place = "sys/devices/system/cpu/cpu{}/cpufreq/scaling_governor"
    finding = machine({place.format(0): "performance", place.format(1): "performance"})["cpu governor"]
    assert (finding.value, finding.verdict, finding.advice) == ("performance", GOOD, "")
    finding = machine({place.format(11): "powersave"})["cpu governor"]
    assert (finding.value, finding.verdict) == ("performance, powersave", SLOW)
    assert "-g performance" in finding.advice


@pytest.mark.parametrize("text, value, verdict", [
    ("150000 100000", "1.50 cores", SLOW), ("400000 100000", "4.00 cores", NOTE), ("max 100000", None, None)])
def test_the_quota_of_a_container(machine, text, value, verdict):
    finding = machine({"sys/fs/cgroup/cpu.max": text}).get("cpu quota")
    assert (finding and finding.value, finding and finding.verdict) == (value, verdict)


def test_a_busy_machine(machine):
    assert machine({"proc/loadavg": "9000.5 1 1 1/1 1"})["load"].verdict == SLOW
    assert "load" not in machine({"proc/loadavg": "0.00 1 1 1/1 1"})


def test_one_core_is_few(machine, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0}, raising=False)
    assert machine({})["cores"].verdict == SLOW


def test_a_slow_clock(machine, monkeypatch):
    monkeypatch.setattr(doctor, "clock_ns", lambda: 900.0)
    finding = machine({})["clock reading"]
    assert (finding.value, finding.verdict) == ("900 ns from Python", SLOW)


def test_the_scalar_runner(machine, monkeypatch):
    monkeypatch.setattr("feeds.parser.best_runner", lambda simd=True: "scalar")
    assert machine({})["parser"].verdict == SLOW


def test_tls_engines(machine, monkeypatch):
    import aiofastnet

    monkeypatch.setattr(aiofastnet, "OPENSSL_DYN_LIBS", None)
    assert machine({})["tls engine"].verdict == SLOW
    monkeypatch.setitem(sys.modules, "aiofastnet", None)
    finding = machine({})["tls engine"]
    assert (finding.value, finding.verdict) == ("that of asyncio", SLOW)


def test_a_log_of_every_frame(machine):
    logger = logging.getLogger("picows")
    assert "logging" not in machine({})
    logger.setLevel(1)
    try:
        assert machine({})["logging"].verdict == SLOW
    finally:
        logger.setLevel(logging.NOTSET)


def test_what_cannot_be_looked_at_is_a_note_and_the_rest_is_told(machine, monkeypatch):
    def _odd_part(root):
        raise RuntimeError("no such thing here")
        yield

    monkeypatch.setattr(doctor, "LOOKS", (_odd_part, *doctor.LOOKS))
    found = machine({})
    assert (found["odd part"].verdict, found["odd part"].advice) == (NOTE, "RuntimeError: no such thing here")
    assert "cores" in found


def test_a_picows_that_does_not_fit_is_bad():
    code = ("import picows, sys; picows.__version__ = '2.4.0'\n"
            "from feeds.commands.doctor import run\nsys.exit(run(True))")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 1, result.stderr
    finding = next(one for one in json.loads(result.stdout) if one["name"] == "picows")
    assert finding["verdict"] == BAD
    assert "but picows 2.4.0 is installed" in finding["value"]


def test_switches_that_slow_python_down():
    code = "import json; from feeds.commands.doctor import run; run(True)"
    result = subprocess.run([sys.executable, "-X", "dev", "-W", "ignore", "-c", code], capture_output=True, text=True)
    finding = next(one for one in json.loads(result.stdout) if one["name"] == "python switches")
    assert finding["verdict"] == SLOW
    assert "development mode" in finding["value"]


def test_the_command_prints_lines_or_json():
    plain = CliRunner().invoke(app, ["doctor"])
    assert plain.exit_code == 0, plain.output
    names = [line.split("  ")[1].strip() for line in plain.stdout.splitlines() if line[:4] in (GOOD, NOTE, SLOW)]
    as_json = CliRunner().invoke(app, ["doctor", "--json"])
    told = json.loads(as_json.stdout)
    assert [one["name"] for one in told if one["name"] != "load"] == [name for name in names if name != "load"]
    assert all(set(one) == {"name", "value", "verdict", "advice"} for one in told)
