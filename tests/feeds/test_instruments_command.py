"""`wirebook instruments` as its user meets it, and the other commands that take names."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager

import pytest
from typer.testing import CliRunner

from feeds import directory, rest
from feeds.cli import app
from feeds.commands.common import CommandError
from feeds.commands.instruments import age_text, read_age
from feeds.commands.serve import symbols_of
from feeds.instruments import Instrument
from feeds.listing import Listing, UnknownInstrument, form_of, needs_list
from feeds.simulator.live import LiveSource
from feeds.venues import load
from feeds.venues.dialects import SIMULATED, SPOKEN, speech
from tests.lists import RECORDED, list_server, recorded_answers

pytestmark = pytest.mark.skipif("okx" not in RECORDED, reason="no recorded lists")


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    monkeypatch.setattr(rest, "_windows", {})
    monkeypatch.setenv("WIREBOOK_CACHE", str(tmp_path))
    monkeypatch.setattr(rest.Rest, "backoff_base_s", 0.01)
    monkeypatch.setenv("COLUMNS", "200")


@contextmanager
def served(answers):
    """A server of lists in a thread of its own; its URL."""
    import asyncio

    started, ended = threading.Event(), threading.Event()
    found = []

    async def serve():
        async with list_server(answers) as server:
            found.append(server)
            started.set()
            while not ended.is_set():
                await asyncio.sleep(0.01)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield found[0]
    finally:
        ended.set()
        thread.join(10)


def okx():
    """The recorded lists at the path of today."""
    bodies = {address.partition("instType=")[2].replace("uly", "instFamily"): body
              for address, body in recorded_answers("okx").items()}

    async def by_type(request):
        return bodies[request.query_string.removeprefix("instType=")]

    return {"/api/v5/public/instruments": by_type}


def call(*args):
    return CliRunner().invoke(app, ["instruments", *map(str, args)])


def test_the_table():
    with served(okx()) as server:
        result = call("okx", "--url", server.url, "--like", "BTC-USD", "--kind", "perpetual")
        assert result.exit_code == 0, result.output
        head, *_ = (line for line in result.stdout.splitlines() if "symbol" in line)
        assert head.split("┃")[1:-1] and [cell.strip() for cell in head.split("┃")[1:-1]] == [
            "name", "symbol", "kind", "tick", "lot", "min", "contract", "expiry", "status"]
        rows = {cells[0]: cells for line in result.stdout.splitlines()
                if len(cells := [cell.strip() for cell in line.strip("│").split("│")]) == 9}
        assert rows["BTC-USD-PERP"] == ["BTC-USD-PERP", "BTC-USD-SWAP", "perpetual", "0.1", "1", "1", "100 USD", "",
                                        "trading"]
        assert rows["BTC-USDT-PERP"][6] == "0.01 BTC"
        assert "of 1479 instruments, 0 s old" in result.stdout
        result = call("okx", "--url", server.url, "--kind", "option", "--like", "BTC-*-C")
        assert "BTC-27MAY22-30000-C" in result.stdout
        assert "2022-05-27 08:00" in result.stdout


def test_the_document():
    with served(okx()) as server:
        result = call("okx", "--url", server.url, "--like", "btc-usdt-perp", "--json")
        document = json.loads(result.stdout)
        assert document["venue"] == "okx"
        assert document["failures"] == []
        assert document["instruments"] == [{
            "name": "BTC-USDT-PERP", "symbol": "BTC-USDT-SWAP", "tick_size": "0.1", "lot_size": "1", "market": "",
            "kind": "perpetual", "base": "BTC", "quote": "USDT", "settle": "USDT", "min_qty": "1", "min_value": "",
            "contract_size": "0.01", "contract_unit": "BTC", "multiplier": "1", "expiry_ns": 0, "strike": "",
            "option_type": "", "status": "trading"}]


def test_a_market():
    bodies = dict(recorded_answers("gateio"))
    answers = {"/api/v4/spot/currency_pairs": bodies["https://api.gateio.ws/api/v4/spot/currency_pairs"]}
    for name in ("usdt", "btc", "usd1"):
        body = bodies["https://api.gateio.ws/api/v4/futures/usdt/contracts"] if name == "usdt" else b"[]"
        answers[f"/api/v4/futures/{name}/contracts"] = body
    with served(answers) as server:
        result = call("gateio", "--url", server.url, "--market", "futures", "--json")
        assert {it["market"] for it in json.loads(result.stdout)["instruments"]} == {"futures"}
        assert all("futures" in path for path in server.asked)
        result = call("gateio", "--url", server.url, "--like", "BTC-USDT*")
        assert "market" in result.stdout
        assert "BTC-USDT-PERP" in result.stdout


@pytest.mark.parametrize(("args", "code", "words"), [
    (["nowhere"], 1, "nowhere"), (["okx", "--market", "x"], 1, "okx has no market 'x'"),
    (["okx", "--kind", "x"], 2, "--kind x: expected one of spot, perpetual, future, option, combo, index"),
    (["okx", "--max-age", "soon"], 2, "--max-age soon: expected a time such as 90s, 15m, 12h or 7d"),
    (["okx", "--url", "URL", "--like", "ZZZZZ"], 1, "okx: none of 1479 instruments is like ZZZZZ"),
    (["okx", "--url", "URL", "--like", "BTC-USDT", "--kind", "option"], 1, "is like BTC-USDT, of kind option"),
    (["okx", "--url", "ftp://x"], 1, "rest_url must be http"),
])
def test_one_line_for_what_is_wrong(args, code, words):
    with served(okx()) as server:
        result = call(*[server.url if arg == "URL" else arg for arg in args])
        assert result.exit_code == code
        line, = result.stderr.splitlines()
        assert line.startswith("wirebook: ")
        assert words in line


def test_lists_that_fail():
    answers = okx()
    whole = answers["/api/v5/public/instruments"]

    async def without_options(request):
        return 503 if request.query["instType"] == "OPTION" else await whole(request)

    with served({"/api/v5/public/instruments": without_options}) as server:
        result = call("okx", "--url", server.url, "--like", "btc-usdt")
        assert result.exit_code == 1                # what there is is shown, and what is missing is said
        assert "BTC-USDT-SWAP" in result.stdout
        assert "wirebook: not the whole list: okx: http://127.0.0.1" in result.stderr
        server.answers = {"/api/v5/public/instruments": b'{"code":"0","data":[{"instId":"BTC-USDT"}]}'}
        result = call("okx", "--url", server.url)
        assert result.exit_code == 1
        assert "expected a list of instruments with instId, instType, tickSz and lotSz" in result.stderr
    result = call("okx", "--url", server.url)
    assert result.exit_code == 1
    assert "Traceback" not in result.output


def test_the_age_of_what_is_on_disk(monkeypatch, tmp_path):
    """Kept lists are shown with their age; --refresh and --max-age ask again."""
    cache = directory.default_cache()
    kept = [Instrument("OLD-USDT", "0.1", "1", base="OLD", quote="USDT")]
    cache.write("okx", "", time.time_ns() - 3 * 3600 * 10**9, kept)
    result = call("okx")
    assert result.exit_code == 0
    assert "OLD-USDT" in result.stdout
    assert "1 of 1 instruments, 3 h old; --refresh asks the venue" in result.stdout
    assert json.loads(call("okx", "--json").stdout)["age_s"] == pytest.approx(3 * 3600, abs=60)

    async def get(self, url, weight):
        raise rest.RestError("okx", url, 503, "asked")

    monkeypatch.setattr(rest.Rest, "get", get)
    for args in (["--refresh"], ["--max-age", "1h"]):
        result = call("okx", *args)
        assert result.exit_code == 1
        assert "asked (status 503)" in result.stderr
    assert call("okx", "--max-age", "4h").exit_code == 0


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("12h", 43200), ("7d", 604800)])
def test_ages(text, seconds):
    assert read_age(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "-1h", "1w", "1 h", "nan"])
def test_wrong_ages(text):
    with pytest.raises(CommandError):
        read_age(text)


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0 s"), (89, "89 s"), (90, "1.5 min"), (7200, "2 h"),
                                               (172800, "2 d")])
def test_age_texts(seconds, text):
    assert age_text(seconds) == text


# ---- what is simulated, by name

@pytest.mark.parametrize("venue", SIMULATED)
def test_what_is_simulated_has_names(venue):
    spec = load(venue)
    own = list(speech(venue).listed) if venue in SPOKEN else []
    symbols = [it.instrument.symbol for it in own] or [it.symbol for it in spec.read_instruments(
        LiveSource(venue, ()).instruments().encode())]
    assert symbols_of(venue, symbols) == symbols
    listing = Listing(spec, [Instrument(it.instrument.symbol, "", "", it.market, it.kind, it.base, it.quote, it.settle,
                                        expiry_ns=it.expiry_ns, strike=it.strike, option_type=it.option_type)
                             for it in own] or spec.read_instruments(LiveSource(venue, ()).instruments().encode()))
    for it in listing:
        name = listing.name(it)
        assert form_of(name), (name, it.symbol)
        if name not in symbols:         # at some venue BTC-USDT is a contract
            assert symbols_of(venue, [name]) == [name if not needs_list(spec, name) else it.symbol]


def test_a_name_that_is_not_simulated():
    with pytest.raises(UnknownInstrument, match="okx has no instrument NONE-USDT-PERP"):
        symbols_of("okx", ["NONE-USDT-PERP"])
    result = CliRunner().invoke(app, ["serve", "--sim", "okx", "--symbols", "BTC-USTD-PERP"])
    assert result.exit_code == 1
    assert "wirebook: okx has no instrument BTC-USTD-PERP; near: BTC-USDT-PERP" in result.stderr
