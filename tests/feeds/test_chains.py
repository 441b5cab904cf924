"""Live option chains: rows, recorded tickers in them, sides without orders, options that come and go."""

from __future__ import annotations

import asyncio
import json
import math
import re
from contextlib import asynccontextmanager

import numpy as np
import pytest

import feeds
from feeds import rest, session
from feeds.capture import CaptureReader
from feeds.chains import CHAIN_DTYPE
from feeds.directory import ListError
from feeds.listing import UnknownInstrument
from feeds.venue import UnknownVenue, UnsupportedChannel
from tests.loopback import PATIENCE, Venue, until
from tests.market import QUICK

EXPIRY = {"24SEP21": 1632470400000, "30JUL21": 1627632000000, "24JUN22": 1656057600000, "25MAR22": 1648195200000,
          "31DEC21": 1640937600000, "27AUG21": 1630051200000, "23JUL21": 1627027200000}


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    monkeypatch.setattr(rest, "_windows", {})
    monkeypatch.setenv("WIREBOOK_CACHE", str(tmp_path))
    monkeypatch.setattr(rest.Rest, "backoff_base_s", 0.01)
    monkeypatch.setattr(session, "RETRY_S", 0.02)


def deribit_entry(name, state="open", **more):
    """An option as Deribit's list has it, by its name."""
    base, day, strike, side = name.split("-")
    return {"instrument_name": name, "kind": "option", "instrument_type": "reversed", "base_currency": base,
            "quote_currency": base, "counter_currency": "USD", "settlement_currency": base, "settlement_period": "week",
            "price_index": f"{base.lower()}_usd", "strike": float(strike), "expiration_timestamp": EXPIRY[day],
            "creation_timestamp": 1, "option_type": {"C": "call", "P": "put"}[side], "tick_size": 0.0005,
            "tick_size_steps": [], "min_trade_amount": 0.1, "contract_size": 1.0, "is_active": state == "open",
            "state": state, "taker_commission": 0.0003, "maker_commission": 0.0003, **more}


class Deribit:
    """A venue on loopback that lists options and acknowledges everything."""

    def __init__(self, venue, names):
        self.venue = venue
        self.names = list(names)
        self.more = []
        self.asked = 0
        venue.get, venue.answer = self.get, self.acknowledge

    def get(self, path):
        if not path.startswith("/api/v2/public/get_instruments"):
            return 404, {}, b""
        self.asked += 1
        return 200, {}, json.dumps({"jsonrpc": "2.0", "result": [*map(deribit_entry, self.names), *self.more]}).encode()

    @staticmethod
    def acknowledge(peer, text):
        request = json.loads(text)
        result = request.get("params", {}).get("channels", "ok")
        peer.send({"jsonrpc": "2.0", "id": request["id"], "result": result})

    @property
    def subscribed(self):
        found = set()
        for peer in self.venue.peers:
            for text in peer.texts:
                request = json.loads(text)
                if request["method"] == "public/subscribe":
                    found |= set(request["params"]["channels"])
                elif request["method"] == "public/unsubscribe":
                    found -= set(request["params"]["channels"])
        return found

    def ticker(self, name, **more):
        greeks = {key: more.pop(key, 0.5) for key in ("delta", "gamma", "vega", "theta", "rho")}
        data = {"instrument_name": name, "timestamp": 1626993723632, "mark_price": 0.02, "mark_iv": 60.0,
                "bid_iv": 59.0, "ask_iv": 61.0, "best_bid_price": 0.015, "best_bid_amount": 2.0,
                "best_ask_price": 0.025, "best_ask_amount": 3.0, "open_interest": 7.0, "underlying_price": 2000.0,
                "index_price": 2000.5, "last_price": 0.02, "state": "open", "greeks": greeks,
                "stats": {"volume": 1.0, "price_change": 0.0, "low": 0.01, "high": 0.03}, **more}
        self.venue.peer.send({"jsonrpc": "2.0", "method": "subscription",
                              "params": {"channel": f"ticker.{name}.100ms", "data": data}})


@asynccontextmanager
async def open_chain(venue, name="deribit", underlying="BTC", interval_s=60.0, **options):
    chain = feeds.chain(name, underlying, url=venue.url, **options)
    chain.timing = QUICK
    chain.instruments_interval_s = interval_s
    async with chain:
        yield chain


def run(scenario, names=("BTC-30JUL21-24000-P", "BTC-24SEP21-34000-P", "BTC-24SEP21-34000-C", "BTC-24SEP21-8000-P",
                         "ETH-30JUL21-2800-C")):
    async def main():
        async with Venue() as venue:
            await scenario(venue, Deribit(venue, names))
    asyncio.run(main())


# ---- rows

def test_the_rows_are_by_expiry_strike_and_type():
    async def scenario(venue, deribit):
        async with open_chain(venue, underlying="btc") as chain:
            table = chain.table
            assert table.dtype == CHAIN_DTYPE
            assert list(table["symbol"]) == ["BTC-30JUL21-24000-P", "BTC-24SEP21-8000-P", "BTC-24SEP21-34000-P",
                                             "BTC-24SEP21-34000-C"]
            assert list(table["name"]) == list(table["symbol"])
            assert list(table["strike"]) == [24000, 8000, 34000, 34000]
            assert list(table["is_call"]) == [False, False, False, True]
            assert list(table["expiry_ns"] // 10**6) == [EXPIRY["30JUL21"], *[EXPIRY["24SEP21"]] * 3]
            assert chain.expiries == sorted({EXPIRY["30JUL21"] * 10**6, EXPIRY["24SEP21"] * 10**6})
            assert len(chain.expiry(EXPIRY["24SEP21"] * 10**6)) == 3
            assert len(chain.expiry(1)) == 0
            assert np.isnan(table["mark_price"]).all()
            assert not table["updated_ns"].any()
            await until(lambda: deribit.subscribed == {f"ticker.{symbol}.100ms" for symbol in table["symbol"]})
    run(scenario)


def test_recorded_tickers_are_in_the_table(data_dir):
    """Every option of the capture, compared with its last recorded ticker as JSON reads it."""
    payloads = [record.payload for record in CaptureReader(data_dir / "deribit" / "options_20210722.ws.gz")
                if record.kind == "<" and b'"channel":"ticker.' in record.payload]
    last = {}
    for payload in payloads:
        data = json.loads(payload)["params"]["data"]
        last[data["instrument_name"]] = data
    assert len(payloads) == 89
    assert len(last) == 10

    async def scenario(venue, deribit):
        async with open_chain(venue, "deribit", "BTC") as btc, open_chain(venue, "deribit", "ETH") as eth:
            for peer in venue.peers:
                peer.send(*payloads)
            seen = 0
            for chain in (btc, eth):
                await chain.wait_filled(timeout=PATIENCE)
                await until(lambda chain=chain: chain.updates == sum(
                    json.loads(text)["params"]["data"]["instrument_name"].startswith(chain.underlying)
                    for text in payloads))
                for row in chain.snapshot():
                    data = last[str(row["symbol"])]
                    seen += 1
                    for name, value in {
                        "mark_price": data["mark_price"], "mark_iv": data["mark_iv"], **data["greeks"],
                        "open_interest": data["open_interest"], "underlying_price": data["underlying_price"],
                        "bid_qty": data["best_bid_amount"], "ask_qty": data["best_ask_amount"],
                    }.items():
                        assert row[name] == value, (row["symbol"], name)
                    for side in ("bid", "ask"):
                        gone = not data[f"best_{side}_amount"]
                        for name, value in ((f"{side}_price", data[f"best_{side}_price"]),
                                            (f"{side}_iv", data[f"{side}_iv"])):
                            assert math.isnan(row[name]) if gone else row[name] == value, (row["symbol"], name)
                    assert row["updated_ns"] > 1_700_000_000 * 10**9
            assert seen == 10
    run(scenario, list(last))


def test_what_a_ticker_does_not_say_any_more_is_nan():
    async def scenario(venue, deribit):
        name = "BTC-24SEP21-34000-C"
        async with open_chain(venue) as chain:
            deribit.ticker(name)
            await chain.wait_filled(0.25, timeout=PATIENCE)
            row = chain.row(name)
            assert (row["bid_price"], row["bid_qty"], row["bid_iv"]) == (0.015, 2.0, 59.0)
            assert (row["delta"], row["open_interest"], row["underlying_price"]) == (0.5, 7.0, 2000.0)
            assert row["is_call"]
            deribit.ticker(name, best_bid_price=0.0, best_bid_amount=0.0, bid_iv=0.0, delta=0.25)
            await until(lambda: row["delta"] == 0.25)               # the row is live
            assert math.isnan(row["bid_price"]) and math.isnan(row["bid_iv"]) and row["bid_qty"] == 0.0
            assert (row["ask_price"], row["ask_iv"]) == (0.025, 61.0)
            deribit.ticker(name, best_bid_price=None, best_bid_amount=None, bid_iv=None, best_ask_price=0.5, delta=0.75)
            await until(lambda: row["delta"] == 0.75)
            assert math.isnan(row["bid_price"]) and row["ask_price"] == 0.5
            assert chain.row(name.lower())["ask_price"] == 0.5
            with pytest.raises(KeyError, match="deribit: no option BTC-1JAN30-1-C on BTC"):
                chain.row("BTC-1JAN30-1-C")
    run(scenario)


def test_a_snapshot_is_a_copy():
    async def scenario(venue, deribit):
        async with open_chain(venue) as chain:
            before = chain.snapshot()
            deribit.ticker("BTC-24SEP21-34000-C")
            await until(lambda: chain.updates)
            assert np.isnan(before["mark_price"]).all()
            assert np.count_nonzero(~np.isnan(chain.table["mark_price"])) == 1
        assert np.count_nonzero(~np.isnan(chain.table["mark_price"])) == 1      # it stays when it is closed
    run(scenario)


def test_waiting_says_what_is_missing():
    async def scenario(venue, deribit):
        async with open_chain(venue) as chain:
            deribit.ticker("BTC-24SEP21-34000-C")
            with pytest.raises(TimeoutError, match="deribit: 1 of 4 options on BTC had a message within 0.3 s"):
                await chain.wait_filled(timeout=0.3)
    run(scenario)


def test_changes_come_one_time_for_many_messages():
    async def scenario(venue, deribit):
        async with open_chain(venue) as chain:
            waiting = asyncio.create_task(chain.wait_filled(timeout=PATIENCE))      # two may wait at a time
            turns = 0
            for name in deribit.names[:4]:
                deribit.ticker(name)
            async for same in chain.changes():
                assert same is chain
                turns += 1
                if chain.updates == 4:
                    break
            assert turns <= 5
            await waiting
    run(scenario)


# ---- options come and go

def test_options_that_are_listed_and_expire():
    async def scenario(venue, deribit):
        told = []
        async with open_chain(venue, interval_s=0.02, on_change=told.append) as chain:
            deribit.ticker("BTC-24SEP21-34000-C", delta=0.3)
            await until(lambda: chain.updates)
            version, old = chain.version, chain.table
            deribit.names += ["BTC-24SEP21-9000-C", "BTC-24JUN22-15000-C", "ETH-23JUL21-2300-C"]
            await until(lambda: len(chain) == 6)
            assert chain.version == version + 1         # one new table for both
            assert list(chain.table["symbol"])[1:3] == ["BTC-24SEP21-8000-P", "BTC-24SEP21-9000-C"]
            assert chain.row("BTC-24SEP21-34000-C")["delta"] == 0.3             # what was known is kept
            assert len(old) == 4
            await until(lambda: "ticker.BTC-24JUN22-15000-C.100ms" in deribit.subscribed)
            assert "ticker.ETH-23JUL21-2300-C.100ms" not in deribit.subscribed
            deribit.ticker("BTC-24JUN22-15000-C", delta=0.9)
            await until(lambda: chain.row("BTC-24JUN22-15000-C")["delta"] == 0.9)
            deribit.names.remove("BTC-30JUL21-24000-P")
            await until(lambda: len(chain) == 5)
            assert chain.expiries[0] == EXPIRY["24SEP21"] * 10**6
            await until(lambda: "ticker.BTC-30JUL21-24000-P.100ms" not in deribit.subscribed)
            deribit.ticker("BTC-30JUL21-24000-P")       # one that was on its way
            deribit.ticker("BTC-24SEP21-8000-P", delta=-0.1)
            await until(lambda: chain.row("BTC-24SEP21-8000-P")["delta"] == -0.1)
            assert [(change.kind, change.instrument.symbol) for change in told] == [
                ("listed", "BTC-24SEP21-9000-C"), ("listed", "BTC-24JUN22-15000-C"),
                ("delisted", "BTC-30JUL21-24000-P")]
    run(scenario)


# ---- which options

@pytest.mark.parametrize(("venue_name", "underlying", "options", "error", "words"), [
    ("deribit", "XYZ", {}, UnknownInstrument, "deribit has no options on XYZ; it has options on BTC, ETH"),
    ("deribit", "BTC", {"quote": "EUR"}, UnknownInstrument, "deribit has no options on BTC quoted in EUR; it has"),
    ("deribit", "", {}, ValueError, "underlying must be a currency such as BTC, not ''"),
    ("deribit", "BTC", {"market": "x"}, UnsupportedChannel, "no market 'x'"),
    ("none", "BTC", {}, UnknownVenue, "none"),
    ("bitstamp", "BTC", {}, UnsupportedChannel, "bitstamp has no channel 'ticker', which a chain is made from"),
    ("okx", "BTC", {}, ListError, "okx: .*status 404"),
])
def test_a_chain_that_is_not_there(venue_name, underlying, options, error, words):
    async def scenario(venue, deribit):
        with pytest.raises(error, match=words):
            async with open_chain(venue, venue_name, underlying, **options):
                pass
    run(scenario)


@pytest.mark.parametrize("url", ["http://x:1", "ws://x:1/path", "x"])
def test_a_wrong_address(url):
    with pytest.raises(ValueError, match="url must be"):
        asyncio.run(feeds.chain("deribit", "BTC", url=url).__aenter__())


def test_the_name_of_the_package_is_the_function():
    import feeds.chains

    assert callable(feeds.chain)
    assert feeds.chain is feeds.chains.chain
    assert "chain" in dir(feeds)


# ---- other venues

def test_okx_tells_its_figures_in_four_channels():
    symbol = "BTC-USD-261225-100000-C"
    entry = {"instId": symbol, "instType": "OPTION", "instFamily": "BTC-USD", "uly": "BTC-USD", "baseCcy": "",
             "quoteCcy": "", "settleCcy": "BTC", "tickSz": "0.0001", "lotSz": "1", "minSz": "1", "ctVal": "1",
             "ctMult": "0.01", "ctValCcy": "BTC", "expTime": "1798358400000", "stk": "100000", "optType": "C",
             "state": "live", "alias": "", "ctType": "", "listTime": "1"}

    def get(path):
        body = {"code": "0", "msg": "", "data": [entry] if re.search("OPTION.*BTC", path) else []}
        return (200, {}, json.dumps(body).encode()) if path.startswith("/api/v5/public/instruments") else (404, {}, b"")

    def answer(peer, text):
        for arg in json.loads(text)["args"] if text != "ping" else ():
            peer.send({"event": "subscribe", "arg": arg, "connId": "x"})

    async def main():
        async with Venue() as venue:
            venue.get, venue.answer = get, answer
            async with open_chain(venue, "okx", "BTC") as chain:
                assert list(chain.table["name"]) == ["BTC-27DEC26-100000-C"]
                await until(lambda: {arg["channel"] for peer in venue.peers for text in peer.texts if text != "ping"
                                     for arg in json.loads(text)["args"]} >= {
                                         "tickers", "opt-summary", "mark-price", "open-interest"})

                def push(channel, data, **arg):
                    venue.peer.send({"arg": {"channel": channel, **(arg or {"instId": symbol})}, "data": [data]})

                stamp = {"instId": symbol, "instType": "OPTION", "ts": "1654166096000"}
                push("mark-price", {**stamp, "markPx": "0.0315"})
                push("tickers", {**stamp, "last": "0.03", "lastSz": "1", "askPx": "0.035", "askSz": "20", "bidPx": "",
                                 "bidSz": "", "open24h": "", "high24h": "", "low24h": "", "sodUtc0": "", "sodUtc8": "",
                                 "volCcy24h": "0", "vol24h": "0"})
                push("open-interest", {**stamp, "oi": "321", "oiCcy": "3.21"})
                push("opt-summary", {**stamp, "uly": "BTC-USD", "delta": "0.3", "gamma": "1", "vega": "2", "theta": "3",
                                     "deltaBS": "0.31", "gammaBS": "0.00001", "vegaBS": "80.5", "thetaBS": "-60.25",
                                     "lever": "20", "markVol": "0.61", "bidVol": "0", "askVol": "0.65",
                                     "realVol": "", "volLv": "0.6", "fwdPx": "98000.5"}, instFamily="BTC-USD")
                await until(lambda: chain.table[0]["delta"] == 0.31)
                row = chain.table[0]
                assert (row["mark_price"], row["open_interest"]) == (0.0315, 321.0)
                assert (row["ask_price"], row["ask_qty"], row["ask_iv"]) == (0.035, 20.0, 0.65)
                assert math.isnan(row["bid_price"]) and math.isnan(row["bid_iv"])
                assert (row["gamma"], row["vega"], row["theta"]) == (0.00001, 80.5, -60.25)
                assert row["mark_iv"] == 0.61
    asyncio.run(main())


def test_bybit_has_its_options_in_a_market_of_their_own():
    entry = {"symbol": "SOL-28APR23-24-C", "status": "Trading", "baseCoin": "SOL", "quoteCoin": "USD",
             "settleCoin": "USDC", "optionsType": "Call", "launchTime": "1", "deliveryTime": "1682668800000",
             "priceFilter": {"minPrice": "0.01", "maxPrice": "1000", "tickSize": "0.01"},
             "lotSizeFilter": {"maxOrderQty": "500", "minOrderQty": "1", "qtyStep": "1"}}
    message = json.dumps({
        "id": "tickers.SOL-28APR23-24-C-3414625745-1680652810254", "topic": "tickers.SOL-28APR23-24-C",
        "ts": 1680652810254, "data": {
            "symbol": "SOL-28APR23-24-C", "bidPrice": "0.34", "bidSize": "10", "bidIv": "0.6004", "askPrice": "0",
            "askSize": "0", "askIv": "0", "lastPrice": "1.6", "highPrice24h": "1.6", "lowPrice24h": "1.6",
            "markPrice": "1.99054639", "indexPrice": "20.93", "markPriceIv": "1.4674", "underlyingPrice": "20.93",
            "openInterest": "20", "turnover24h": "211.8", "volume24h": "10", "totalVolume": "20",
            "totalTurnover": "424", "delta": "0.4", "gamma": "0.05", "vega": "0.02", "theta": "-0.07",
            "predictedDeliveryPrice": "0", "change24h": "0"}, "type": "snapshot"}, separators=(",", ":")).encode()

    def get(path):
        listed = [entry] if "category=option" in path and "SOL" in path else []
        body = {"retCode": 0, "retMsg": "OK", "result": {"category": "option", "nextPageCursor": "", "list": listed}}
        return 200, {}, json.dumps(body).encode()

    def answer(peer, text):
        request = json.loads(text)
        peer.send({"success": True, "conn_id": "x", "data": {"failTopics": [], "successTopics": request.get("args")},
                   "type": "COMMAND_RESP", "req_id": request.get("req_id", ""), "op": request["op"]})

    async def main():
        async with Venue() as venue:
            venue.get, venue.answer = get, answer
            async with open_chain(venue, "bybit", "SOL", market="option") as chain:
                assert venue.peer.path == "/v5/public/option"
                venue.peer.send(message)
                await chain.wait_filled(timeout=PATIENCE)
                row = chain.table[0]
                assert (row["bid_price"], row["bid_qty"], row["bid_iv"]) == (0.34, 10.0, 0.6004)
                assert math.isnan(row["ask_price"]) and math.isnan(row["ask_iv"]) and row["ask_qty"] == 0
                assert (row["mark_price"], row["mark_iv"], row["open_interest"]) == (1.99054639, 1.4674, 20.0)
                assert (row["strike"], row["is_call"], row["delta"], row["underlying_price"]) == (24, True, 0.4, 20.93)
    asyncio.run(main())
