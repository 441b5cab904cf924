"""The `wirebook` command as its user meets it: output, exit status, and one clear line for everything that is wrong."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

import pytest
from typer.testing import CliRunner

from feeds import VENUES
from feeds.cli import app
from feeds.commands import watch as watch_module
from feeds.venues.dialects import DIALECTS
from tests.loopback import Venue

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 30.0
REST = "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000 "
SNAPSHOT = REST + '{"lastUpdateId":10,"E":1,"T":1,"bids":[["99.00","1.000"]],"asks":[["101.00","2.000"]]}'


def delta(number: int) -> str:
    last = 10 + number
    return (f'{{"stream":"btcusdt@depth@0ms","data":{{"e":"depthUpdate","E":{number},"T":{number},"s":"BTCUSDT",'
            f'"U":{last},"u":{last},"pu":{last - 1},"b":[["98.00","{number}.000"]],"a":[]}}}}')


@pytest.fixture
def capture(tmp_path):
    """A good capture of two seconds in a folder with a venue's name."""
    path = tmp_path / "binance_usdm" / "small.ws"
    path.parent.mkdir()
    lines = [f"1000000000\th\t{SNAPSHOT}\n"]
    lines += [f"{1_000_000_000 + number * 10_000_000}\t<\t{delta(number)}\n" for number in range(201)]
    path.write_text("".join(lines))
    return path


def call(*args):
    """Run a command in this process."""
    return CliRunner().invoke(app, [str(arg) for arg in args])


def complaint(result) -> str:
    """The one line on standard error of a command that failed as it should."""
    assert result.exit_code not in (0, 70), result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("wirebook: ")
    return lines[0]


@contextmanager
def child(*args):
    """`wirebook ...` as a process of its own."""
    if args[0] == "serve":
        args = (*args, "--until-eof")       # so that nothing stays behind if the tests are killed
    process = subprocess.Popen([sys.executable, "-m", "feeds.cli", *map(str, args)], cwd=ROOT, text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    timer = threading.Timer(LIMIT_S, process.kill)
    timer.start()
    try:
        yield process
    finally:
        timer.cancel()
        process.kill()
        process.communicate()


def url_of(process) -> str:
    url = process.stdout.readline().strip()
    assert url.startswith("ws://127.0.0.1:"), process.stderr.read()
    return url


def lines_of(process) -> Queue:
    """Lines of the process's output as they come."""
    lines: Queue = Queue()
    threading.Thread(target=lambda: [lines.put(line) for line in process.stdout], daemon=True).start()
    return lines


def test_help_and_version():
    result = call("--help")
    assert result.exit_code == 0
    assert all(command in result.stdout for command in ("replay", "serve", "watch", "demo", "venues"))
    assert call("--version").stdout.startswith("wirebook")


def test_help_does_not_load_the_engine():
    heavy = ["numpy", "aiohttp", "picows", "rich.live", "feeds.pipeline"]
    code = f"import sys, feeds.cli; print([name for name in {heavy} if name in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_venues_are_listed_with_what_is_known_of_each_channel():
    result = call("venues")
    assert result.exit_code == 0
    assert all(venue in result.stdout for venue in VENUES)
    assert "what its numbers show, and what they cannot" in result.stdout
    [row] = [line for line in result.stdout.splitlines() if "kraken " in line]
    assert "book" in row
    assert "capture" in row
    assert "CRC-32" in row


def test_venues_as_json():
    venues = json.loads(call("venues", "--json").stdout)
    assert list(venues) == list(VENUES)
    for name, facts in venues.items():
        assert facts["venue"] == name
        assert facts["addresses"]
        told = {part.strip().partition(" ")[0] for it in facts["evidence"] for part in it["channel"].split(",")}
        assert set(facts["channels"]) <= told, f"{name}: a channel without evidence"
        assert all(it["proof"] and it["detects"] for it in facts["evidence"])
    assert json.loads(call("venues", "bybit", "--json").stdout) == venues["bybit"]


def test_one_venue_in_full():
    result = call("venues", "bybit")
    assert result.exit_code == 0
    for word in ("spot, linear, inverse, option", "wss://stream.bybit.com/v5/public/linear", "channel liquidations",
                 "new book by", "a new subscription", "checked 20"):
        assert word in result.stdout
    assert "kraken" not in result.stdout
    assert "did you mean bybit" in complaint(call("venues", "bybyt"))


def test_replay_json_is_one_document_and_nothing_else(capture):
    result = call("replay", capture, "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert list(document) == ["files", "venue", "messages", "bytes", "seconds", "errors", "symbols"]
    assert document["venue"] == "binance_usdm"
    figures = document["symbols"]["BTCUSDT"]
    assert figures["updates"] == 201
    assert figures["sequence"] == 210
    assert len(figures["bbo_sha256"]) == 64
    assert result.stderr == ""


def test_replay_prints_a_table_and_the_speed(capture):
    result = call("replay", capture)
    assert result.exit_code == 0, result.stderr
    assert "BTCUSDT" in result.stdout
    assert "LIVE" in result.stdout
    assert "a second" in result.stdout


def test_venue_option_overrides_the_folder(tmp_path, capture):
    moved = tmp_path / "elsewhere" / "small.ws"
    moved.parent.mkdir()
    moved.write_bytes(capture.read_bytes())
    assert "expected a folder named after a venue, found 'elsewhere'" in complaint(call("replay", moved))
    assert call("replay", moved, "--venue", "binance_usdm").exit_code == 0


def test_replay_with_errors_prints_what_could_be_read(capture):
    with capture.open("a") as file:
        file.write('9000000000\t<\t{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","s":"BTCUSDT","U":"x"}}\n')
        file.write("no capture line\n")
    result = call("replay", capture, "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["errors"] == 2
    assert document["symbols"]["BTCUSDT"]["updates"] == 201
    assert "line 204" in result.stderr
    assert "Traceback" not in result.stderr


# What is said of a folder: a recording is one.
A_FOLDER = {"replay": "a recording: a directory with segments (*.wbr), found a directory without any",
            "serve": "a folder"}


def bad_files(tmp_path):
    folder = tmp_path / "binance_usdm"
    folder.mkdir(exist_ok=True)
    (folder / "empty.ws").write_bytes(b"")
    (folder / "corrupt.ws.gz").write_bytes(gzip.compress(b"1\t=\tx\n" * 100)[:20] + b"\xff" * 20)
    (folder / "text.ws").write_text("hello\n")
    (folder / "number.ws").write_text("x1\t<\t{}\n")
    return folder


@pytest.mark.parametrize("command", ["replay", "serve"])
@pytest.mark.parametrize("name, words", [
    ("missing.ws", ["no such file"]), ("", []), ("empty.ws", ["an empty file"]),
    ("corrupt.ws.gz", ["line 1", "byte 0", "gzip"]), ("text.ws", ["line 1", "byte 0", "recv_ns"]),
    ("number.ws", ["line 1", "byte 0", "nanoseconds"])])
def test_bad_files_end_in_one_line(tmp_path, command, name, words):
    path = bad_files(tmp_path) / name
    line = complaint(call(command, path, "--venue", "binance_usdm"))
    assert str(path).rstrip("/") in line
    for word in words or [A_FOLDER[command]]:
        assert word in line


@pytest.mark.parametrize("command", ["replay", "serve"])
@pytest.mark.parametrize("name, words", [("missing.ws", "no such file"), ("", "")])
def test_a_file_that_is_not_there_is_said_so_before_its_venue_is_asked_for(tmp_path, command, name, words):
    assert (words or A_FOLDER[command]) in complaint(call(command, tmp_path / name))


@pytest.mark.parametrize("args, words", [
    (["replay", "x.ws", "--venue", "nasdaq"], ["unknown venue 'nasdaq'", "binance_usdm"]),
    (["serve", "--sim", "nasdaq"], ["unknown venue 'nasdaq'", "binance_usdm"]),
    (["watch", "nasdaq", "BTCUSDT"], ["unknown venue 'nasdaq'", "binance_usdm"]),
    (["watch", "binance_usd", "BTCUSDT"], ["did you mean binance_usdm"]),
    (["demo", "--venue", "nasdaq"], ["unknown venue 'nasdaq'"]),
    (["serve"], ["captures or --sim"]),
    (["serve", "x.ws", "--sim", "binance_usdm"], ["captures or --sim"]),
    (["serve", "x.ws", "--symbols", "BTCUSDT"], ["--symbols is for --sim"]),
    (["serve", "--sim", "binance_usdm", "--speed", "fast"], ["--speed fast", "number above 0"]),
    (["serve", "--sim", "binance_usdm", "--speed", "-1"], ["--speed -1", "number above 0"]),
    (["serve", "--sim", "binance_usdm", "--rate", "0"], ["--rate 0", "above 0"]),
    (["watch", "binance_usdm", "BTCUSDT", "--url", "nonsense"], ["url", "nonsense"]),
    (["watch", "bybit", "BTCUSDT", "--market", "moon"], ["bybit has no market 'moon'", "spot, linear"]),
    (["watch", "kraken", "BTC/USD", "--market", "spot"], ["kraken has no market 'spot'", "one market only"]),
    (["replay", "x.ws", "--venue", "bybit", "--market", "moon"], ["bybit has no market 'moon'"]),
])
def test_bad_arguments_end_in_one_line(args, words):
    line = complaint(call(*args))
    for word in words:
        assert word in line


def test_a_capture_that_goes_on_from_another_is_not_served_alone(capture):
    text = capture.read_text().splitlines(keepends=True)
    capture.write_text("".join(text[1:]))
    assert "expected a REST snapshot of BTCUSDT" in complaint(call("serve", capture))


def test_a_port_in_use_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = complaint(call("serve", "--sim", "binance_spot", "--port", port))
    assert f"127.0.0.1:{port}: port in use" in line


def test_no_network_is_named(monkeypatch):
    monkeypatch.setattr(watch_module, "CONNECT_S", 0.5)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))       # bound but not listening: nobody answers there
        port = closed.getsockname()[1]
        result = call("watch", "binance_usdm", "BTCUSDT", "--url", f"ws://127.0.0.1:{port}")
    assert result.exit_code == 1
    last = result.stderr.splitlines()[-1]
    assert "binance_usdm" in last
    assert f"127.0.0.1:{port}" in last
    assert "Traceback" not in result.stderr


def test_an_unknown_symbol_is_named(monkeypatch):
    monkeypatch.setattr(watch_module, "PROBE_S", 0.5)
    with child("serve", "--sim", "binance_usdm") as server:
        result = call("watch", "binance_usdm", "btcusdt", "nosuchusdt", "--url", url_of(server))
    assert result.exit_code == 1
    last = result.stderr.splitlines()[-1]
    assert "binance_usdm: unknown symbol NOSUCHUSDT" in last
    assert "Invalid symbol" in last


@contextmanager
def loopback(prepare):
    """A `tests.loopback.Venue` in a thread of its own; `prepare(venue)` says what it answers."""
    ready, urls = threading.Event(), []
    stopped = asyncio.Event()

    async def serve():
        async with Venue() as venue:
            prepare(venue)
            urls.append(venue.url)
            ready.set()
            await stopped.wait()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(LIMIT_S)
    try:
        yield urls[0]
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join(LIMIT_S)
        loop.close()


def test_a_refused_symbol_is_named_at_once(monkeypatch):
    monkeypatch.setattr(watch_module, "PROBE_S", LIMIT_S)

    def prepare(venue):
        def answer(peer, text):
            peer.send({"event": "error", "code": "60018", "connId": "a4d3ae55",
                       "msg": "Wrong URL or channel:books,instId:NO-PE doesn't exist. Please use the correct URL."})
        venue.answer = answer

    began = time.monotonic()
    with loopback(prepare) as url:
        result = call("watch", "okx", "NO-PE", "--url", url)
    assert result.exit_code == 1
    assert "okx: no book of NO-PE: 60018: Wrong URL or channel" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
    assert time.monotonic() - began < LIMIT_S


def test_a_symbol_that_stays_silent_is_looked_up_in_the_venues_list(monkeypatch):
    monkeypatch.setattr(watch_module, "PROBE_S", 0.3)
    paths = []

    def prepare(venue):
        def get(path):
            paths.append(path)
            entry = {"symbol": "BTCUSDT", "contractType": "LinearPerpetual", "baseCoin": "BTC", "quoteCoin": "USDT",
                     "settleCoin": "USDT", "status": "Trading", "priceFilter": {"tickSize": "0.10"},
                     "lotSizeFilter": {"qtyStep": "0.001", "minOrderQty": "0.001"}}
            return 200, {}, json.dumps({"result": {"category": "linear", "list": [entry]}}).encode()
        venue.get = get
        venue.answer = lambda peer, text: peer.send(
            {"success": True, "ret_msg": "", "conn_id": "a", "req_id": json.loads(text)["req_id"], "op": "subscribe"})

    with loopback(prepare) as url:
        result = call("watch", "bybit", "BTCUSTD", "--url", url, "--market", "linear", "--seconds", "20")
    assert result.exit_code == 1
    assert "bybit linear has no instrument BTCUSTD; near: BTCUSDT" in result.stderr.splitlines()[-1]
    assert paths == ["/v5/market/instruments-info?category=linear&limit=1000"]


def test_serve_ends_by_itself_and_says_so(capture):
    with child("serve", capture, "--speed", "50") as server:
        url_of(server)
        assert server.wait(LIMIT_S) == 0
        assert "Traceback" not in server.stderr.read()


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_serve_ends_cleanly_on_a_signal(number, code):
    with child("serve", "--sim", "binance_coinm") as server:
        url_of(server)
        server.send_signal(number)
        assert server.wait(LIMIT_S) == code
        assert "Traceback" not in server.stderr.read()


def test_serve_does_not_outlive_who_started_it():
    starter = ("import subprocess, sys; p = subprocess.Popen([sys.executable, '-m', 'feeds.cli', 'serve', '--sim', "
               "'binance_usdm', '--until-eof'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True); "
               "print(p.stdout.readline(), flush=True); sys.stdin.read()")
    with subprocess.Popen([sys.executable, "-c", starter], cwd=ROOT, text=True, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        host, port = process.stdout.readline().strip().removeprefix("ws://").split(":")
        socket.create_connection((host, int(port))).close()
        process.kill()
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, int(port)), timeout=1.0).close()
        except OSError:
            return
        time.sleep(0.02)
    pytest.fail("the server is still there")


def test_watch_shows_live_books_and_ends_when_told():
    with child("serve", "--sim", "binance_spot") as server:
        with child("watch", "binance_spot", "BTCUSDT", "ethusdt", "--url", url_of(server), "--seconds", "2") as watcher:
            output, errors = watcher.communicate(timeout=LIMIT_S)
        assert watcher.returncode == 0, errors
    assert "BTCUSDT LIVE bid " in output
    assert "ETHUSDT LIVE bid " in output
    assert errors == ""


def test_watch_ends_cleanly_on_ctrl_c(capture):
    with (child("serve", capture, "--loop", "--speed", "0.5") as server,
          child("watch", "binance_usdm", "BTCUSDT", "--url", url_of(server)) as watcher):
        lines = lines_of(watcher)
        while "LIVE" not in lines.get(timeout=LIMIT_S):
            pass
        watcher.send_signal(signal.SIGINT)
        assert watcher.wait(LIMIT_S) == 130
        assert watcher.stderr.read() == ""


@pytest.mark.parametrize("venue", DIALECTS)
def test_demo_reports_and_succeeds(venue):
    with child("demo", "--seconds", "1", "--venue", venue) as demo:
        output, errors = demo.communicate(timeout=LIMIT_S)
    assert demo.returncode == 0, errors
    for word in ("messages", "updates", "gaps", "errors 0", "latency", "p99.9", "parse", "apply", "handler"):
        assert word in output, output
    assert errors == ""


def test_output_into_a_closed_pipe_is_no_traceback(capture):
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run([sys.executable, "-m", "feeds.cli", "replay", str(capture), "--json"], cwd=ROOT,
                            stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert "Traceback" not in result.stderr
    assert result.returncode != 0
