"""`wirebook plan` as its user meets it: the table, the document, lists of symbols, and clear errors."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from typer.testing import CliRunner

from feeds import rest
from feeds.cli import app
from feeds.simulator.live import LiveSource


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No lists of this user, and no budget that another test has used."""
    monkeypatch.setenv("WIREBOOK_CACHE", str(tmp_path))
    monkeypatch.setattr(rest, "_windows", {})


@pytest.fixture
def lists():
    """A REST server with the list of a simulated market; gives its URL and the paths it was asked for."""
    body = LiveSource("binance_spot", ["BTCUSDT", "ETHUSDT", "ETHBTC", "DOGEUSDT"]).instruments()
    body = body.replace('"DOGEUSDT","status":"TRADING"', '"DOGEUSDT","status":"HALT"').encode()
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def call(*args):
    return CliRunner().invoke(app, ["plan", *map(str, args)])


def document(*args):
    result = call(*args, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_table_tells_connections_requests_limits_and_the_time(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("\n".join(f"S{number}USDT" for number in range(1999)) + "\nS0USDT, LASTUSDT\n")
    result = call("binance_spot", "--symbols", f"@{path}", "--channels", "book,trades,quotes")
    assert result.exit_code == 0, result.output
    text = re.sub(r" +", " ", result.stdout)
    for words in ("binance_spot: 2000 symbols x book, trades, quotes: 6000 streams, 6 connections",
                  "│5 │ wss://stream.binance.com:9443 │ 1024 │ 6 requests of",
                  "│streams of one connection │ 1024 │ 1024 │ no time│",
                  "│REST weight in a minute │ 6000 │ 100000 │ 16 min │",
                  "2000 snapshots by REST of weight 50, 100000 in all",
                  "all LIVE after 16 min, as far as the limits go; tightest: REST weight in a minute"):
        assert words in text


def test_the_document():
    told = document("binance_usdm", "--symbols", "btcusdt", "--symbols", "ETHUSDT", "--channels", "book,mark")
    assert (told["venue"], told["symbols"], told["streams"], told["seconds"]) == ("binance_usdm", 2, 4, 0.0)
    assert told["connections"][1] == {
        "root": "market", "address": "wss://fstream.binance.com/market", "streams": 2, "by_address": True,
        "requests": 0, "request_bytes": 0}
    assert (told["snapshots"], told["snapshot_weight"], told["tightest"]) == (2, 20, "rest_weight_per_minute")
    assert {"limit": "connections_per_5_minutes", "allowed": 300, "used": 2, "seconds": 0.0} in told["limits"]


@pytest.mark.parametrize("symbols, count", [("all", 3), ("*USDT", 2), ("ETH-*", 2), ("BTC-USDT", 1), ("eth*,XYZ", 3)])
def test_symbols_may_be_names_and_patterns(lists, symbols, count):
    url, asked = lists
    told = document("binance_spot", "--symbols", symbols, "--rest-url", url)
    assert told["symbols"] == count             # what does not trade is not in a pattern
    assert set(asked) == {"/api/v3/exchangeInfo"}


def test_plain_symbols_need_no_list(lists):
    url, asked = lists
    assert document("binance_spot", "--symbols", "BTCUSDT", "--rest-url", url)["symbols"] == 1
    assert asked == []


@pytest.mark.parametrize("args, code, says", [
    (["binance_spot", "--symbols", "@/no/such/file"], 1, "--symbols @/no/such/file: No such file or directory"),
    (["binance_spot", "--symbols", " , "], 2, "--symbols: expected one or more symbols, @FILE, all, or a pattern"),
    (["binance_spot", "--symbols", "A", "--channels", "mark"], 1, "binance_spot has no channel 'mark'"),
    (["binance_spot", "--symbols", "A", "--market", "linear"], 1, "binance_spot has no market 'linear'"),
    (["nowhere", "--symbols", "A"], 1, "nowhere"),
    (["hyperliquid", "--symbols", "@LIST"], 1,
     "hyperliquid: 1500 streams, and one address may have 1000 (streams)"),
])
def test_what_is_wrong_is_one_line(tmp_path, args, code, says):
    path = tmp_path / "list.txt"
    path.write_text(" ".join(f"C{number}" for number in range(1500)))
    result = call(*[arg.replace("@LIST", f"@{path}") for arg in args])
    assert result.exit_code == code
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_pattern_that_fits_nothing(lists):
    result = call("binance_spot", "--symbols", "*EUR", "--rest-url", lists[0])
    assert result.exit_code == 1
    assert "no instrument that trades fits *EUR" in result.stderr
