"""`wirebook record`: from a simulated venue to files, ended by a signal; and what it says when it cannot."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from feeds.cli import app
from feeds.recording.check import check
from feeds.recording.reader import Recording
from feeds.simulator.exchange import Exchange
from feeds.simulator.hall import Hall
from feeds.venues import load
from feeds.venues.dialects import speech
from tests.loopback import looped, until

ROOT = Path(__file__).resolve().parents[3]


@looped
async def test_a_signal_ends_a_recording_in_order(tmp_path):
    exchange = Exchange(Hall(load("okx"), speech("okx"), ("BTC-USDT", "ETH-USDT"), seed=3, rate=200.0))
    url = await exchange.start()
    running = asyncio.create_task(exchange.run())
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "feeds.cli", "record", "okx", "BTC-USDT,ETH-USDT", "--out", str(tmp_path / "rec"),
        "--url", url, "--chunk-seconds", "0.1", "--rotate-size", "100000", cwd=ROOT, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)})
    try:
        await until(lambda: any(file.stat().st_size > 30_000 for file in (tmp_path / "rec").glob("*/*.wbr")), "records")
        process.send_signal(signal.SIGTERM)
        told, errors = await process.communicate()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert process.returncode == 0, errors
    assert told.decode().startswith("okx: ") and f"into {tmp_path / 'rec'}" in told.decode()
    assert all(segment.complete for segment in Recording(tmp_path / "rec").segments)
    assert set(Recording(tmp_path / "rec").segments[0].symbols) == {"BTC-USDT", "ETH-USDT"}
    assert check(tmp_path / "rec").document()["mended"] == []


def test_what_cannot_work_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    for args, said in ((["okx", "BTC-USDT", "--out", str(tmp_path / "file")], "expected a directory that can be"),
                       (["moon", "BTC-USDT", "--out", str(tmp_path)], "unknown venue"),
                       (["okx", "BTC-USDT", "--out", str(tmp_path), "--channels", "rumours"], "rumours"),
                       (["okx", "BTC-USDT", "--out", str(tmp_path / "r"), "--url", "ws://127.0.0.1:9", "--seconds",
                         "1"], "127.0.0.1:9")):
        result = CliRunner().invoke(app, ["record", *args])
        assert result.exit_code != 0 and said in result.stderr and "Traceback" not in result.output
