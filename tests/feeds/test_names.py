"""Feeds that are asked by name: what is looked up and when, markets, changes of the list, futures that roll."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from datetime import UTC, datetime

import pytest

import feeds
from feeds import names as names_module
from feeds import rest, session
from feeds.directory import ListError
from feeds.listing import InstrumentChange, UnknownInstrument
from orderbook import BookState
from tests.loopback import PATIENCE, Venue, until
from tests.market import QUICK, Market, quick, streams_of

LIST = "/fapi/v1/exchangeInfo"
NEVER_MS = 4133404800000


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No budget of another test's port, no cache of the user's, no waiting."""
    monkeypatch.setattr(rest, "_windows", {})
    monkeypatch.setenv("WIREBOOK_CACHE", str(tmp_path))
    monkeypatch.setattr(rest.Rest, "backoff_base_s", 0.01)


def entry(symbol, base="BTC", quote="USDT", kind="PERPETUAL", at_ms=NEVER_MS, tick="0.10", status="TRADING"):
    """One instrument as exchangeInfo of USD-M has it."""
    return {"symbol": symbol, "pair": base + quote, "contractType": kind, "deliveryDate": at_ms, "onboardDate": 1,
            "status": status, "baseAsset": base, "quoteAsset": quote, "marginAsset": quote, "pricePrecision": 2,
            "quantityPrecision": 3, "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": tick, "minPrice": tick, "maxPrice": "1000000"},
                {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001", "maxQty": "1000"},
                {"filterType": "MIN_NOTIONAL", "notional": "5"}]}


class Listed:
    """The list of a loopback venue, in front of its market's snapshots."""

    def __init__(self, venue, entries):
        self.entries = list(entries)
        self.status = 200
        self.asked = 0
        self.other = venue.get
        venue.get = self.get

    def get(self, path):
        if not path.startswith(LIST):
            return self.other(path)
        self.asked += 1
        return self.status, {}, json.dumps({"timezone": "UTC", "symbols": self.entries}).encode()


def run(scenario, entries=None):
    """Run `scenario(venue, market, listed)` against a market on loopback that lists BTCUSDT and ETHUSDT."""
    entries = entries or (entry("BTCUSDT"), entry("ETHUSDT", "ETH"))

    async def main():
        async with Venue() as venue:
            market = Market(venue)
            await scenario(venue, market, Listed(venue, entries))
    asyncio.run(main())


def date_name(ms):
    """27DEC26 of a time in ms."""
    day = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{day.day}{day:%b%y}".upper()


# ---- by name

def test_a_feed_that_is_asked_by_name_knows_both_spellings():
    async def scenario(venue, market, listed):
        async with quick(venue, ["BTC-USDT-PERP", "ethusdt"]) as feed, market.running():
            await feed.wait_live(PATIENCE)
            assert feed.symbols == ["BTCUSDT", "ETHUSDT"]
            assert feed.book("BTC-USDT-PERP") is feed.book("BTCUSDT") is feed.book("btc-usdt-perp")
            assert feed.book("ETH-USDT-PERP") is feed.book("ETHUSDT")
            assert feed.symbol_stats("BTC-USDT-PERP")["snapshots"] == 1
            assert feed.instrument("BTC-USDT-PERP").tick_size == "0.1"
            assert feed.instrument("BTCUSDT").min_value == "5"
            assert feed.instrument("XYZ") is None
            assert listed.asked == 1
    run(scenario)


def test_plain_symbols_need_no_list():
    async def scenario(venue, market, listed):
        async with quick(venue, ["BTCUSDT"]) as feed, market.running():
            await feed.subscribe("ethusdt")
            await feed.wait_live(PATIENCE)
            assert listed.asked == 0
            assert feed.instrument("BTCUSDT") is None
            with pytest.raises(KeyError):
                feed.book("BTC-USDT-PERP")
    run(scenario)


def test_names_come_and_go_while_it_runs():
    async def scenario(venue, market, listed):
        async with quick(venue, ["BTCUSDT"]) as feed, market.running():
            await feed.subscribe("ETH-USDT-PERP")
            await feed.wait_live(PATIENCE)
            await until(lambda: market.agrees(feed.book("ETH-USDT-PERP")))
            await feed.unsubscribe("eth-usdt-perp")
            assert feed.symbols == ["BTCUSDT"]
            await until(lambda: "ethusdt@depth@100ms" not in set().union(*map(streams_of, venue.peers)))
            with pytest.raises(UnknownInstrument, match="binance_usdm has no instrument SOL-USDT-PERP; near: "):
                await feed.subscribe("SOL-USDT-PERP")
            listed.entries.append(entry("SOLUSDT", "SOL"))
            feed.names.listing.fetched_ns -= 10**10
            await feed.subscribe("SOL-USDT-PERP")           # asked for the list again, as it is not in the old one
            assert feed.symbols == ["BTCUSDT", "SOLUSDT"]
    run(scenario)


def test_a_list_without_the_name_is_an_error_with_the_nearest():
    async def scenario(venue, market, listed):
        with pytest.raises(UnknownInstrument, match="no instrument BTC-USDC-PERP; near: BTC-USDT-PERP"):
            async with quick(venue, "BTC-USDC-PERP"):
                pass
        assert venue.peers == []
        with pytest.raises(ValueError, match="near"):       # what users of ValueError catch
            await quick(venue, "BTC-USTD-PERP").__aenter__()
    run(scenario)


@pytest.mark.parametrize("status", [404, 500])
def test_without_a_list_a_name_is_taken_as_a_symbol(caplog, status):
    async def scenario(venue, market, listed):
        listed.status = status
        with caplog.at_level(logging.WARNING):
            async with quick(venue, "BTC-USDT") as feed:
                assert feed.symbols == ["BTC-USDT"]
        assert "BTC-USDT taken as the venue's symbol, as there is no list of instruments" in caplog.text
        assert f"status {status}" in caplog.text
        with pytest.raises(ListError, match=f"status {status}"):       # this one cannot be a symbol
            await quick(venue, "BTC-USD-FRONT").__aenter__()
    run(scenario)


def test_a_list_that_does_not_answer_does_not_hold_up_a_feed(caplog, monkeypatch):
    monkeypatch.setattr(names_module, "WITHIN_S", 0.2)

    async def scenario(venue, market, listed):
        listed.status = 429
        async with quick(venue, "BTC-USDT") as feed:
            assert feed.symbols == ["BTC-USDT"]
        assert "no whole list within 0.2 s" in caplog.text
    run(scenario)


def test_what_is_closed_is_said(caplog):
    async def scenario(venue, market, listed):
        async with quick(venue, "BTC-USDT-PERP"):
            assert "BTCUSDT is closed for good" in caplog.text
    run(scenario, [entry("BTCUSDT", status="CLOSE")])


# ---- markets

def bybit(symbol, quote, kind, **more):
    base = more.pop("base", "BTC")
    return {"symbol": symbol, "baseCoin": base, "quoteCoin": quote, "settleCoin": quote, "status": "Trading",
            "contractType": kind, "launchTime": "1", "deliveryTime": "0", "priceScale": "2", "optionsType": "",
            "priceFilter": {"tickSize": "0.10", "minPrice": "0.10", "maxPrice": "1999999.80"},
            "lotSizeFilter": {"qtyStep": "0.001", "minOrderQty": "0.001", "basePrecision": "0.000001",
                              "minNotionalValue": "5", "minOrderAmt": "1"}, **more}


BYBIT = {"spot": [bybit("BTCUSDT", "USDT", ""), bybit("ETHUSDT", "USDT", "", base="ETH")],
         "linear": [bybit("BTCUSDT", "USDT", "LinearPerpetual"), bybit("BTCPERP", "USDC", "LinearPerpetual"),
                    bybit("SHAREDL", "USD", "LinearPerpetual", base="XYZ")],
         "inverse": [bybit("BTCUSD", "USD", "InversePerpetual"),
                     bybit("SHAREDI", "USD", "InversePerpetual", base="XYZ")], "option": []}


def bybit_list(path):
    category = path.partition("category=")[2].partition("&")[0]
    if not path.startswith("/v5/market/instruments-info"):
        return 404, {}, b""
    return 200, {}, json.dumps({"retCode": 0, "retMsg": "OK", "result": {
        "category": category, "list": BYBIT[category], "nextPageCursor": ""}}).encode()


def acknowledge(peer, text):
    request = json.loads(text)
    peer.send({"success": True, "ret_msg": "", "op": request["op"], "req_id": request.get("req_id", ""),
               "conn_id": "1"})


def at_bybit(symbols, scenario=None, **options):
    """Open a feed of a venue with several markets; `scenario(venue, feed)`."""
    async def main():
        async with Venue() as venue:
            venue.get, venue.answer = bybit_list, acknowledge
            feed = feeds.connect("bybit", symbols, url=venue.url, **options)
            feed.timing = QUICK
            async with feed:
                await until(lambda: venue.peers[0].texts)
                if scenario is not None:
                    await scenario(venue, feed)
                return feed.market, feed.symbols, [peer.path for peer in venue.peers]
    return asyncio.run(main())


@pytest.mark.parametrize(("name", "market", "symbol"), [
    ("BTC-USDT", "spot", "BTCUSDT"), ("BTC-USDT-PERP", "linear", "BTCUSDT"), ("BTC-USDC-PERP", "linear", "BTCPERP"),
    ("BTC-USD-PERP", "inverse", "BTCUSD"),
])
def test_a_name_tells_its_market(name, market, symbol):
    async def scenario(venue, feed):
        assert feed.pipeline.market == feed.snapshots.market == market
        assert feed.book(name).symbol == symbol
    assert at_bybit([name], scenario) == (market, [symbol], [f"/v5/public/{market}"])
    assert at_bybit([name], market=market)[:2] == (market, [symbol])


@pytest.mark.parametrize(("symbols", "options", "words"), [
    (["XYZ-USD-PERP"], {}, r"bybit: the markets linear \(SHAREDL\), inverse \(SHAREDI\) all have XYZ-USD-PERP"),
    (["BTC-USDT", "BTC-USDT-PERP"], {}, r"one market, and these are of several: BTC-USDT \(spot\), BTC-USDT-PERP \(l"),
    (["ETHUSDT", "BTC-USDT-PERP"], {}, r"ETHUSDT would be of spot.*but BTC-USDT-PERP \(linear\); say which market"),
    (["BTC-USDT-PERP"], {"market": "spot"}, "bybit spot has no instrument BTC-USDT-PERP; near: BTC-USDT"),
    (["BTC-USTD-PERP"], {}, "bybit has no instrument BTC-USTD-PERP; near: .*BTC-USDT-PERP"),
])
def test_names_that_do_not_tell_one_market(symbols, options, words):
    with pytest.raises(UnknownInstrument, match=words):
        at_bybit(symbols, **options)


def test_a_name_and_a_market():
    assert at_bybit(["XYZ-USD-PERP"], market="inverse")[:2] == ("inverse", ["SHAREDI"])
    assert at_bybit(["ETHUSDT", "BTC-USDT"])[:2] == ("spot", ["ETHUSDT", "BTCUSDT"])


# ---- the list while the feed runs

class Follower:
    """A handler that notes changes of the list."""

    def __init__(self):
        self.changes = []

    def on_book(self, book):
        pass

    def on_instrument(self, change):
        self.changes.append(change)

    @property
    def kinds(self):
        return [(change.kind, change.instrument.symbol) for change in self.changes]


def test_listings_delistings_halts_and_ticks_are_told():
    async def scenario(venue, market, listed):
        follower, called = Follower(), []
        feed = quick(venue, "BTCUSDT", handler=follower, on_instrument=called.append)
        feed.instruments_interval_s = 0.02
        async with feed:
            await until(lambda: listed.asked >= 2)
            assert follower.changes == []
            listed.entries.append(entry("NEWUSDT", "NEW"))
            await until(lambda: ("listed", "NEWUSDT") in follower.kinds)
            listed.entries[0] = entry("BTCUSDT", tick="0.50")
            await until(lambda: ("tick_changed", "BTCUSDT") in follower.kinds)
            listed.entries[1] = entry("ETHUSDT", "ETH", status="TRADING_HALT")
            await until(lambda: ("halted", "ETHUSDT") in follower.kinds)
            listed.entries[1] = entry("ETHUSDT", "ETH")
            await until(lambda: ("resumed", "ETHUSDT") in follower.kinds)
            del listed.entries[2]
            await until(lambda: ("delisted", "NEWUSDT") in follower.kinds)
            assert len(follower.changes) == 5
            assert called == follower.changes
            assert [change.new and change.new.tick_size for change in called] == ["0.1", "0.5", "0.1", "0.1", None]
            assert feed.instrument("BTC-USDT-PERP").tick_size == "0.5"
    run(scenario)


def test_a_list_that_fails_for_a_while_tells_nothing(caplog, monkeypatch):
    monkeypatch.setattr(session, "RETRY_S", 0.02)

    async def scenario(venue, market, listed):
        follower = Follower()
        feed = quick(venue, "BTCUSDT", handler=follower)
        feed.instruments_interval_s = 0.02
        async with feed:
            await until(lambda: listed.asked >= 2)
            whole = listed.entries
            for status, entries in ((500, whole), (200, []), (200, [{"symbol": "BTCUSDT"}])):
                listed.status, listed.entries = status, entries
                asked = listed.asked
                await until(lambda asked=asked: listed.asked >= asked + 6)
            listed.entries = [*whole, entry("NEWUSDT", "NEW")]
            await until(lambda: follower.changes)
            assert follower.kinds == [("listed", "NEWUSDT")]
        assert "status 500" in caplog.text
        assert "expected instruments, found an empty list" in caplog.text
        assert "expected a list of" in caplog.text or "expected" in caplog.text
    run(scenario)


def test_a_handler_that_raises_is_no_end(caplog):
    class Bad(Follower):
        def on_instrument(self, change):
            super().on_instrument(change)
            raise RuntimeError("mine")

    async def scenario(venue, market, listed):
        bad = Bad()
        feed = quick(venue, "BTCUSDT", handler=bad)
        feed.instruments_interval_s = 0.02
        async with feed:
            await until(lambda: listed.asked >= 2)
            for name in ("A", "B"):
                listed.entries.append(entry(f"{name}USDT", name))
                await until(lambda name=name: ("listed", f"{name}USDT") in bad.kinds)
        assert "a handler raised" in caplog.text
    run(scenario)


def test_changes_come_in_async_for():
    async def scenario(venue, market, listed):
        feed = quick(venue, "BTCUSDT")
        feed.instruments_interval_s = 0.02
        async with feed:
            await until(lambda: listed.asked >= 2)
            listed.entries.append(entry("NEWUSDT", "NEW"))
            async for event in feed:
                if isinstance(event, InstrumentChange):
                    assert (event.kind, event.new.name) == ("listed", "NEW-USDT-PERP")
                    break
    run(scenario)


def test_nobody_looks_at_the_list_unasked():
    async def scenario(venue, market, listed):
        async with quick(venue, "BTCUSDT", handler=type("H", (), {"on_book": lambda self, book: None})()) as feed:
            await asyncio.sleep(0.1)
            assert feed._lists_task is None
            assert listed.asked == 0
    run(scenario)


def test_half_a_list_tells_nothing_and_loses_nothing():
    """One of the lists of a market fails for a while: what was delisted meanwhile is told afterwards."""
    spot = [bybit("AAAUSDT", "USDT", "", base="AAA"), bybit("BBBUSDT", "USDT", "", base="BBB")]
    pages = {"first": spot[:1], "second": spot[1:]}
    status = {"second": 200}

    def get(path):
        cursor = "second" if "cursor=second" in path else "first"
        body = {"retCode": 0, "result": {"category": "spot", "list": pages[cursor],
                                         "nextPageCursor": "second" if cursor == "first" else ""}}
        return status.get(cursor, 200), {}, json.dumps(body).encode()

    async def main():
        told = []
        async with Venue() as venue:
            venue.get, venue.answer = get, acknowledge
            feed = feeds.connect("bybit", "AAA-USDT", url=venue.url, market="spot", on_instrument=told.append)
            feed.timing, feed.instruments_interval_s = QUICK, 0.02
            async with feed:
                await until(lambda: len(venue.requests) >= 6)
                status["second"] = 404
                count = len(venue.requests)
                await until(lambda: len(venue.requests) >= count + 6)
                assert told == []
                pages["second"] = []
                pages["first"] = [spot[0], bybit("CCCUSDT", "USDT", "", base="CCC")]
                count = len(venue.requests)
                await until(lambda: len(venue.requests) >= count + 6)
                assert told == []
                status["second"] = 200
                await until(lambda: len(told) == 2)
                assert {(it.kind, it.instrument.symbol) for it in told} == {("listed", "CCCUSDT"),
                                                                            ("delisted", "BBBUSDT")}
    asyncio.run(main())


# ---- the front future

def dated(symbol, at_ms, **more):
    return entry(symbol, kind="CURRENT_QUARTER", at_ms=at_ms, **more)


def test_a_front_future_is_followed_when_it_expires(monkeypatch):
    """The next one is live before the old one is given up, and a subscription to the old one by itself stays."""
    monkeypatch.setattr(names_module, "AFTER_S", 0.05)

    async def scenario(venue, market, listed):
        soon = int(time.time() * 1000) + 1500
        later = soon + 90 * 86_400_000
        listed.entries += [dated("BTCUSDT_LATER", later), dated("BTCUSDT_SOON", soon)]
        follower = Follower()
        async with quick(venue, ["BTC-USDT-FRONT", "ETHUSDT"], handler=follower) as feed, market.running():
            assert feed.symbols == ["BTCUSDT_SOON", "ETHUSDT"]
            await feed.wait_live(PATIENCE)
            assert feed.book("BTC-USDT-FRONT").symbol == "BTCUSDT_SOON"
            assert feed.book(f"BTC-USDT-{date_name(soon)}").symbol == "BTCUSDT_SOON"
            await until(lambda: follower.changes)
            rolled, = follower.changes
            assert (rolled.kind, rolled.old.symbol, rolled.new.symbol) == ("rolled", "BTCUSDT_SOON", "BTCUSDT_LATER")
            assert time.time() * 1000 >= soon
            assert sorted(feed.symbols) == ["BTCUSDT_LATER", "ETHUSDT"]
            book = feed.book("btc-usdt-front")
            await until(lambda: book.status == BookState.LIVE)
            assert book is feed.book("BTCUSDT_LATER")
            assert feed.book("BTCUSDT_SOON").status == BookState.EMPTY
            await feed.unsubscribe("BTC-USDT-FRONT")
            assert feed.symbols == ["ETHUSDT"]
            assert feed.names.fronts == {}
    run(scenario)


def test_a_front_future_is_followed_when_it_is_delisted(monkeypatch):
    monkeypatch.setattr(session, "LISTS_S", 0.02)

    async def scenario(venue, market, listed):
        later = int(time.time() * 1000) + 90 * 86_400_000
        listed.entries += [dated("BTCUSDT_A", later), dated("BTCUSDT_B", 2 * later)]
        follower = Follower()
        async with quick(venue, ["BTCUSDT"], handler=follower) as feed, market.running():
            await feed.subscribe(["BTC-USDT-FRONT"])            # one that runs takes it up as well
            await feed.subscribe(["BTCUSDT_A"])
            assert feed.symbols == ["BTCUSDT", "BTCUSDT_A"]
            del listed.entries[2]
            await until(lambda: ("rolled", "BTCUSDT_B") in follower.kinds)
            assert ("delisted", "BTCUSDT_A") in follower.kinds
            assert set(feed.symbols) == {"BTCUSDT", "BTCUSDT_A", "BTCUSDT_B"}       # A was asked for by itself too
            await feed.unsubscribe("BTCUSDT_A")
            assert set(feed.symbols) == {"BTCUSDT", "BTCUSDT_B"}
    run(scenario)


def test_a_front_future_without_successor_stays(caplog, monkeypatch):
    monkeypatch.setattr(session, "LISTS_S", 0.02)

    async def scenario(venue, market, listed):
        listed.entries.append(dated("BTCUSDT_A", int(time.time() * 1000) + 90 * 86_400_000))
        async with quick(venue, ["BTC-USDT-FRONT"]) as feed:
            del listed.entries[2]
            await until(lambda: "BTC-USDT-FRONT stays at BTCUSDT_A" in caplog.text)
            assert feed.symbols == ["BTCUSDT_A"]
    run(scenario)


def test_there_is_no_front_future():
    async def scenario(venue, market, listed):
        with pytest.raises(UnknownInstrument, match="binance_usdm has no trading future of BTC-USD"):
            await quick(venue, "BTC-USD-FRONT").__aenter__()
    run(scenario)
