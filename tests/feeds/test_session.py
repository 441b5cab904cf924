"""The live client against a venue on loopback that breaks off, refuses, forgets and lies as the test wants it."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import ssl
import time
from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules

import pytest

import tests.venues as venue_rows
from feeds import rest
from feeds.readers import StatusChange
from feeds.session import SubscribeError, connect
from feeds.venue import Stream, UnknownVenue, UnsupportedChannel
from feeds.venues import load
from orderbook import BookState
from tests.loopback import BINARY, PATIENCE, TEXT, Venue, frame, make_certificate, until
from tests.market import QUICK, Market, States, change_spec, change_talk, quick, run, streams_of


@pytest.fixture(autouse=True)
def fresh_windows(monkeypatch):
    """A port may be given out again, the window of its last owner must not."""
    monkeypatch.setattr(rest, "_windows", {})


# ---- from nothing to live

def test_books_become_live_and_are_the_markets():
    async def scenario(venue, market):
        async with quick(venue, ["BTCUSDT", "ethusdt"]) as feed, market.running():
            assert feed.book("BTCUSDT").status != BookState.LIVE        # it is there from the beginning
            await feed.wait_live(PATIENCE)
            await until(lambda: market.agrees(feed.book("btcusdt")))
            await until(lambda: market.agrees(feed.book("ETHUSDT")))
            stats = feed.stats()
            assert stats["lines"][0]["open"]
            assert stats["lines"][0]["messages"] > 0
            assert stats["silent"] == []
            assert stats["rest"]["snapshots"] >= 2
            assert stats["counters"]["depth"] > 0
        await until(lambda: venue.peer.ended)
        assert venue.peer.closes == [1000]
    run(scenario)


def test_each_root_has_its_own_connection_and_keeps_its_path():
    async def scenario(venue, market):
        async with quick(venue, "BTCUSDT", ("book", "quotes", "mark")):
            assert sorted(peer.path for peer in venue.peers) == [
                "/market/stream?streams=btcusdt@markPrice@1s",
                "/public/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker",
            ]
            await asyncio.sleep(0)
    run(scenario)


def test_streams_are_spread_over_connections(monkeypatch):
    change_spec(monkeypatch, {"streams_per_connection": 2})

    async def scenario(venue, market):
        symbols = [f"S{number}USDT" for number in range(5)]
        async with quick(venue, symbols) as feed, market.running():
            assert sorted(len(streams_of(peer)) for peer in venue.peers) == [1, 2, 2]
            await feed.wait_live(PATIENCE)
            venue.peers[0].reset()      # two symbols lose their line, the others notice nothing
            requests = len(venue.requests)
            await until(lambda: len(venue.peers) == 4)
            await until(lambda: not feed._not_live())
            assert len(venue.requests) - requests == len(streams_of(venue.peers[0]))
            for symbol in symbols:
                await until(lambda symbol=symbol: market.agrees(feed.book(symbol)))
    run(scenario)


def test_a_partial_book_needs_no_snapshot():
    async def scenario(venue, market):
        def first(peer):
            assert streams_of(peer) == {"btcusdt@depth20@100ms"}
            message = market.diff("BTCUSDT")
            message["stream"] = "btcusdt@depth20@100ms"
            peer.send(message)

        venue.on_open = first
        async with quick(venue, "BTCUSDT", depth=20) as feed:
            await feed.wait_live(PATIENCE)
            assert feed.book("BTCUSDT").bid_levels == feed.book("btcusdt", 20).bid_levels == 1
            assert feed.symbol_stats("BTCUSDT")["snapshots"] == 1
            assert feed.symbols == ["BTCUSDT"]
            assert venue.requests == []
    run(scenario)


# ---- lost and found

def test_a_feed_without_books_has_none_to_wait_for():
    async def scenario(venue, market):
        async with quick(venue, "BTCUSDT", ["trades"]) as feed:
            assert feed.symbols == []
            await feed.wait_live(PATIENCE)
            assert feed.symbols == []
    run(scenario)


def test_a_venue_that_is_killed_and_restarted():
    async def scenario(venue, market):
        async with quick(venue, ["BTCUSDT"]) as feed, market.running():
            await feed.wait_live(PATIENCE)
            await venue.stop()
            await until(lambda: feed.stats()["lines"][0]["failures"] >= 2)
            assert feed.book("BTCUSDT").status != BookState.LIVE
            await venue.start()
            await feed.wait_live(PATIENCE)
            await until(lambda: market.agrees(feed.book("BTCUSDT")))
    run(scenario)


def test_a_gap_resyncs_its_symbol_alone():
    async def scenario(venue, market):
        states = States()
        async with quick(venue, ["BTCUSDT", "ETHUSDT"], handler=states) as feed:
            async with market.running():
                await feed.wait_live(PATIENCE)
            del states.changes[:]
            before = len(venue.requests)
            market.diff("BTCUSDT")          # changed, and nobody was told
            async with market.running():
                await until(lambda: ("BTCUSDT", "LIVE") in states.changes)
            market.tick()
            await until(lambda: market.agrees(feed.book("BTCUSDT")))
            await until(lambda: market.agrees(feed.book("ETHUSDT")))
            assert {symbol for symbol, _ in states.changes} == {"BTCUSDT"}
            assert set(venue.requests[before:]) == {"/fapi/v1/depth?symbol=BTCUSDT&limit=1000"}
            assert feed.stats()["counters"]["gaps"] == 1
    run(scenario)


def test_snapshots_keep_away_from_a_venue_that_says_so():
    async def scenario(venue, market):
        times = []

        def get(path):
            times.append(time.monotonic())
            return (429, {"Retry-After": "0.2"}, b"") if len(times) == 1 else market.snapshot(path)

        venue.get = get
        feed = quick(venue, ["BTCUSDT", "ETHUSDT"])
        feed.snapshots.at_once = 1
        async with feed, market.running():
            await feed.wait_live(PATIENCE)
        assert times[1] - times[0] >= 0.19
    run(scenario)


# ---- the first connection

def test_stream_and_rest_over_tls_with_the_callers_trust(tmp_path):
    async def main():
        certificate, key = make_certificate(tmp_path)
        venue = Venue()
        venue.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        venue.tls.load_cert_chain(certificate, key)
        async with venue:
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)    # the refused handshakes
            market = Market(venue)
            with pytest.raises(ConnectionError, match="(?i)certificate.verify.failed"):
                async with quick(venue, "BTCUSDT", timing=replace(QUICK, first=1.0)):
                    pass
            trust = ssl.create_default_context(cafile=certificate)
            async with quick(venue, "BTCUSDT", ssl=trust) as feed, market.running():
                await feed.wait_live(PATIENCE)
                await until(lambda: market.agrees(feed.book("BTCUSDT")))
                assert feed.rest.moved_to == venue.url.replace("wss", "https")
    asyncio.run(main())


@pytest.mark.parametrize("lines", [1, 2])
def test_opening_fails_with_the_reason_when_nobody_is_there(caplog, lines):
    async def scenario(venue, market):
        await venue.stop()
        with pytest.raises(ConnectionError, match=r"^binance_usdm: no connection within 0.5 s: ws://127.*Connect call"):
            async with quick(venue, ["BTCUSDT"], timing=replace(QUICK, first=0.5), lines=lines):
                pass
        gc.collect()
        assert "never retrieved" not in caplog.text
        attempts = [record for record in caplog.records if "next try in" in record.getMessage()]
        assert len(attempts) >= 2
        assert all("\n" not in record.getMessage() for record in attempts)
        await venue.start()
    run(scenario)


def test_opening_waits_for_a_venue_that_comes_late():
    async def scenario(venue, market):
        venue.upgrade = False
        asyncio.get_running_loop().call_later(0.1, setattr, venue, "upgrade", True)
        async with quick(venue, ["BTCUSDT"]) as feed:
            assert feed.stats()["lines"][0]["failures"] >= 1
    run(scenario)


def test_one_of_two_lines_is_enough_to_begin_with(virtually):
    """Nobody waits for the other one, which the venue does not take."""
    async def scenario():
        loop = asyncio.get_running_loop()
        async with Venue() as venue:
            venue.on_open = lambda peer: setattr(venue, "upgrade", False)
            began = loop.time()
            async with quick(venue, "BTCUSDT", timing=replace(QUICK, first=300.0), lines=2) as feed:
                return loop.time() - began, [line["open"] for line in feed.stats()["lines"]]

    took, is_open = virtually(scenario())
    assert took < 30.0
    assert sorted(is_open) == [False, True]


def test_nothing_of_a_feed_is_at_work_when_it_is_closed():
    """Also what waits for an answer by REST: a snapshot, and the proof that a silent book is only quiet."""
    async def scenario(venue, market):
        def at_work():
            names = {task.get_name() for task in asyncio.all_tasks()}
            return names & {"binance_usdm line 0", "binance_usdm minder", "snapshot BTCUSDT", "proof of ETHUSDT"}

        async with quick(venue, ["BTCUSDT", "ETHUSDT"]) as feed:
            async with market.running():
                await feed.wait_live(PATIENCE)

            async def get(url, weight):
                await asyncio.Event().wait()

            feed.rest.get = get
            feed.pipeline.lose("BTCUSDT")
            await until(lambda: feed.stats()["rest"]["in_flight"] == 1)
            feed.silences._resubscribe("ETHUSDT", feed.connections[0], 0.0)
            await asyncio.sleep(0.01)
            assert len(at_work()) == 4
            await feed.silences.close()
            assert "proof of ETHUSDT" not in at_work()
            feed.silences._resubscribe("ETHUSDT", feed.connections[0], 0.0)
            await asyncio.sleep(0.01)
            assert len(at_work()) == 4
            await feed.close()
            assert at_work() == set()
    run(scenario)


# ---- requests and answers

def test_symbols_come_and_go_while_the_feed_runs():
    async def scenario(venue, market):
        async with quick(venue, ["BTCUSDT"]) as feed, market.running():
            await feed.wait_live(PATIENCE)
            await feed.subscribe(["ETHUSDT", "btcusdt"])
            assert [json.loads(text)["params"] for text in venue.peer.texts] == [["ethusdt@depth@100ms"]]
            await feed.wait_live(PATIENCE)
            await until(lambda: market.agrees(feed.book("ETHUSDT")))
            await feed.unsubscribe("ETHUSDT")
            await until(lambda: len(venue.peer.texts) == 2)
            assert streams_of(venue.peer) == {"btcusdt@depth@100ms"}
            assert feed.book("ETHUSDT").status == BookState.EMPTY
            await feed.subscribe("BTCUSDT", "mark")
            assert len(venue.peers) == 2
            assert venue.peer.path == "/market/stream?streams=btcusdt@markPrice@1s"
            for peer in venue.peers:
                peer.hang_up()
            await until(lambda: len(venue.peers) == 4)
            assert sorted(peer.path for peer in venue.peers[2:]) == [
                "/market/stream?streams=btcusdt@markPrice@1s", "/public/stream?streams=btcusdt@depth@100ms"]
    run(scenario)


def test_streams_that_serve_several_symbols_or_channels_are_asked_for_once(monkeypatch):
    def streams(symbols, channels, depth, speed, market):
        names = {"book": "{}@depth@100ms", "ticker": "{}@all", "mark": "{}@all", "liquidations": "everything"}
        return [Stream(names[channel].format(symbol.lower()), "public", symbol.upper(), channel)
                for symbol in symbols for channel in channels]

    change_talk(monkeypatch, name_streams=streams)

    async def scenario(venue, market):
        async with quick(venue, ["AUSDT", "BUSDT"], ("book", "ticker", "mark", "liquidations")) as feed:
            both = {"ausdt@depth@100ms", "busdt@depth@100ms", "ausdt@all", "busdt@all", "everything"}
            await until(lambda: streams_of(venue.peer) == both)
            await until(lambda: feed.stats()["lines"][0]["confirmed"] == 5)
            assert feed.symbols == ["AUSDT", "BUSDT"]
            await feed.unsubscribe("AUSDT", ("mark", "book"))
            await until(lambda: streams_of(venue.peer) == both - {"ausdt@depth@100ms"})
            assert feed.symbols == ["BUSDT"]
            await feed.unsubscribe("AUSDT")
            await until(lambda: streams_of(venue.peer) == {"busdt@depth@100ms", "busdt@all", "everything"})
            await feed.subscribe("AUSDT", "mark")
            await until(lambda: "ausdt@all" in streams_of(venue.peer))
            await feed.unsubscribe(["AUSDT", "BUSDT"])
            await until(lambda: not streams_of(venue.peer))
    run(scenario)


def test_the_market_reaches_whoever_asks_the_venue(monkeypatch):
    seen = []

    def streams(symbols, channels, depth, speed, market):
        seen.append(market)
        return [Stream(f"{symbol.lower()}@depth@100ms", "public", symbol.upper(), "book", 0, market)
                for symbol in symbols]

    def address(symbol, limit, market):
        return f"https://fapi.binance.com/fapi/v1/depth?symbol={symbol}&limit={limit}&market={market}"

    change_talk(monkeypatch, name_streams=streams, markets=("perpetual", "option"), snapshot_address=address)
    with pytest.raises(UnsupportedChannel, match="no market 'moon'; it has: perpetual, option"):
        connect("binance_usdm", "BTCUSDT", market="moon")
    assert connect("binance_usdm", "BTCUSDT").market == "perpetual"

    async def scenario(venue, market):
        async with quick(venue, "BTCUSDT", market="option") as feed, market.running():
            await feed.wait_live(PATIENCE)
            assert feed.stats()["market"] == "option"
            assert venue.requests[0] == "/fapi/v1/depth?symbol=BTCUSDT&limit=1000&market=option"
    run(scenario)
    assert set(seen) == {"perpetual", "option"}


def test_a_refused_request_is_an_error_and_the_line_goes_on(caplog):
    async def scenario(venue, market):
        def refuse(peer, text):
            peer.send({"code": 2, "msg": "Invalid request: no such stream", "id": json.loads(text)["id"]})

        venue.answer = refuse
        async with quick(venue, ["BTCUSDT"]) as feed, market.running():
            await feed.wait_live(PATIENCE)
            with pytest.raises(SubscribeError, match="ethusdt@depth@100ms: 2: Invalid request: no such stream"):
                await feed.subscribe("ETHUSDT")
            assert feed.stats()["refused"] == {"ethusdt@depth@100ms": "2: Invalid request: no such stream"}
            venue.answer = venue.acknowledge
            await feed.subscribe("ETHUSDT")             # a second try is not held to the first answer
            assert feed.stats()["refused"] == {}
            assert "Invalid request" in caplog.text
            await until(lambda: market.agrees(feed.book("BTCUSDT")))
            assert len(venue.peers) == 1
    run(scenario)


def test_a_symbol_nothing_comes_for_is_reported(caplog):
    async def scenario(venue, market):
        market.unknown.add("NOPEUSDT")
        async with quick(venue, ["BTCUSDT", "NOPEUSDT"]) as feed, market.running():
            await until(lambda: feed.stats()["silent"] == ["NOPEUSDT"])
            await until(lambda: "nothing came for NOPEUSDT" in caplog.text)
            with pytest.raises(TimeoutError, match=r"NOPEUSDT \(EMPTY\)"):
                await feed.wait_live(0.05)
            await until(lambda: market.agrees(feed.book("BTCUSDT")))
    run(scenario)


# ---- events

def test_iterating_gives_copies_books_and_changes_of_state():
    async def scenario(venue, market):
        async with quick(venue, "BTCUSDT", ("book", "trades")) as feed:
            events = []

            async def collect():
                async for event in feed:
                    events.append(event)

            collecting = asyncio.create_task(collect())
            await asyncio.sleep(0)
            async with market.running():
                await feed.wait_live(PATIENCE)
                for number in (1, 2):
                    venue.peer.send({"stream": "btcusdt@trade", "data": {
                        "e": "trade", "E": 1, "T": 1, "s": "BTCUSDT", "t": number, "p": "1000.0", "q": "0.5",
                        "X": "MARKET", "m": False}})
                await until(lambda: feed.book("BTCUSDT") in events)
                await until(lambda: sum(type(event).__name__ == "Trade" for event in events) == 2)
            trades = [event for event in events if type(event).__name__ == "Trade"]
            assert [int(event.trade_id) for event in trades] == [1, 2]
            assert trades[0] is not trades[1]
            changes = [event for event in events if isinstance(event, StatusChange)]
            assert changes[-1].new == BookState.LIVE
            assert changes[-1].symbol == "BTCUSDT"
            await feed.close()
            await asyncio.wait_for(collecting, PATIENCE)       # the end of the feed ends the iteration
    run(scenario)


def test_iterating_a_feed_with_a_handler_is_an_error():
    async def scenario(venue, market):
        async with quick(venue, "BTCUSDT", handler=States()) as feed:
            with pytest.raises(RuntimeError, match="handler"):
                aiter(feed)
    run(scenario)


def test_a_handler_that_raises_costs_nothing_but_its_own_call(caplog):
    class Broken:
        def on_book(self, book):
            raise ValueError("broken handler")

    async def scenario(venue, market):
        async with quick(venue, "BTCUSDT", handler=Broken()) as feed, market.running():
            await until(lambda: feed.stats()["lines"][0]["handler_errors"] >= 3)
            await until(lambda: market.agrees(feed.book("BTCUSDT")))
            assert len(venue.peers) == 1
            assert "broken handler" in caplog.text
    with caplog.at_level(logging.ERROR):
        run(scenario)


# ---- addresses and arguments

@pytest.mark.parametrize("args, options, error, words", [
    (("nowhere", ["X"]), {}, UnknownVenue, "binance_usdm"),
    (("binance_spot", []), {}, ValueError, "symbols must be"),
    (("binance_spot", [""]), {}, ValueError, "symbols must be"),
    (("binance_spot", [5]), {}, ValueError, "symbols must be"),
    (("binance_spot", ["X"], ()), {}, ValueError, "channels must be one or more of book"),
    (("binance_spot", ["X"], ["mark"]), {}, UnsupportedChannel, "no channel 'mark'; it has: book"),
    (("binance_spot", ["X"]), {"depth": 7}, UnsupportedChannel, "5, 10, 20"),
    (("binance_spot", ["X"]), {"speed": "0ms"}, UnsupportedChannel, "1000ms, 100ms"),
    (("binance_spot", ["X"]), {"url": "http://x"}, ValueError, "url must be ws"),
    (("binance_spot", ["X"]), {"rest_url": "ws://x"}, ValueError, "rest_url must be http"),
    (("binance_spot", ["X"]), {"market": "linear"}, UnsupportedChannel, "no market 'linear'; it has: one market only"),
    (("binance_spot", ["X"]), {"ssl": False}, ValueError, "SSLContext"),
])
def test_wrong_arguments_are_named_before_anything_is_opened(args, options, error, words):
    with pytest.raises(error, match=words):
        connect(*args, **options)


# ---- new beginnings, in the way of each kind of venue

class Chained:
    """Books of a venue that sends a snapshot to whoever subscribes and links deltas by their numbers, as OKX does."""

    def __init__(self, venue):
        self.last = {}              # symbol -> number of its last message
        self.requests = []          # (op, symbol) so far
        self.snapshots = True       # send them
        venue.answer = self.answer

    def frame(self, symbol, action, previous, bids):
        return {"arg": {"channel": "books", "instId": symbol}, "action": action, "data": [
            {"asks": [["101", "1", "0", "1"]], "bids": bids, "ts": "1700000000000", "checksum": 0,
             "prevSeqId": previous, "seqId": self.last[symbol]}]}

    def answer(self, peer, text):
        if text == "ping":
            return
        request = json.loads(text)
        for arg in request["args"]:
            symbol = arg["instId"]
            self.requests.append((request["op"], symbol))
            peer.send({"event": request["op"], "arg": arg, "connId": "a"})
            if request["op"] == "subscribe" and self.snapshots:
                self.last[symbol] = self.last.get(symbol, 100) + 10
                peer.send(self.frame(symbol, "snapshot", -1, [["100", "1", "0", "1"]]))

    def delta(self, peer, symbol, lost=False):
        previous = self.last[symbol] + (1 if lost else 0)
        self.last[symbol] = previous + 1
        peer.send(self.frame(symbol, "update", previous, [["99", str(previous), "0", "1"]]))


def chained(venue, symbols, timing=QUICK, **options):
    feed = connect("okx", symbols, url=venue.url, **options)
    feed.timing = timing
    return feed


def test_a_gap_is_met_by_a_new_subscription_of_its_stream_alone():
    async def scenario(venue, market):
        books, states = Chained(venue), States()
        async with chained(venue, ["BTC-USDT", "ETH-USDT"], handler=states) as feed:
            await feed.wait_live(PATIENCE)
            assert books.requests == [("subscribe", "BTC-USDT"), ("subscribe", "ETH-USDT")]
            await until(lambda: feed.stats()["lines"][0]["confirmed"] == 2)
            del books.requests[:], states.changes[:]
            for symbol in ("BTC-USDT", "ETH-USDT"):
                books.delta(venue.peer, symbol, lost=symbol == "BTC-USDT")
            await until(lambda: states.changes == [("BTC-USDT", "STALE"), ("BTC-USDT", "LIVE")])
            assert books.requests == [("unsubscribe", "BTC-USDT"), ("subscribe", "BTC-USDT")]
            books.delta(venue.peer, "BTC-USDT")
            await until(lambda: feed.book("BTC-USDT").sequence == books.last["BTC-USDT"])
            assert feed.book("BTC-USDT").status == feed.book("ETH-USDT").status == BookState.LIVE
            assert venue.requests == []
            assert len(venue.peers) == 1
    run(scenario)


def test_a_first_snapshot_may_take_its_time():
    async def scenario(venue, market):
        books = Chained(venue)
        books.snapshots = False
        async with chained(venue, "BTC-USDT", timing=replace(QUICK, silent=0.4)) as feed:
            await until(lambda: books.requests)
            books.last["BTC-USDT"] = 5
            books.delta(venue.peer, "BTC-USDT")     # it has no beginning
            await asyncio.sleep(0.25)
            assert books.requests == [("subscribe", "BTC-USDT")]
            books.snapshots = True
            await feed.wait_live(PATIENCE)
            assert books.requests == [("subscribe", "BTC-USDT"), ("unsubscribe", "BTC-USDT"), ("subscribe", "BTC-USDT")]
    run(scenario)


def test_a_stream_that_was_given_up_is_not_begun_anew():
    """The venue has never answered, so it counts as refused; it would be unsubscribed, and not be asked for again."""
    async def scenario(venue, market):
        books = Chained(venue)
        asked = []
        venue.answer = lambda peer, text: asked.append(json.loads(text)["op"])
        async with chained(venue, "BTC-USDT", timing=replace(QUICK, ack=0.03)) as feed:
            await until(lambda: feed.stats()["refused"])
            assert asked == ["subscribe"] * 3
            books.last["BTC-USDT"] = 5
            books.delta(venue.peer, "BTC-USDT")             # it comes all the same, without a beginning
            await until(lambda: feed.book("BTC-USDT").status == BookState.SYNCING)
            await asyncio.sleep(0.3)
            assert asked == ["subscribe"] * 3
    run(scenario)


def test_new_subscriptions_that_do_not_help_are_made_less_and_less_often():
    async def scenario(venue, market):
        books = Chained(venue)
        times = []
        async with chained(venue, "BTC-USDT", timing=replace(QUICK, renew=0.05, backoff_longest=10.0)) as feed:
            await feed.wait_live(PATIENCE)
            answer = venue.answer

            def breaks_again(peer, text):
                answer(peer, text)
                if '"subscribe"' in text:
                    times.append(time.monotonic())
                    books.delta(peer, "BTC-USDT", lost=True)

            venue.answer = breaks_again
            books.delta(venue.peer, "BTC-USDT", lost=True)
            await until(lambda: len(times) == 4)
            waits = [later - before for before, later in zip(times, times[1:], strict=False)]
            assert all(wait >= least for wait, least in zip(waits, (0.045, 0.09, 0.19), strict=True)), waits
            assert len(venue.peers) == 1
    run(scenario)


def test_a_snapshot_by_request_is_asked_for_after_the_answer_and_then_now_and_then(monkeypatch):
    change_talk(monkeypatch, resync="request", request=lambda name, number: json.dumps({"req": name, "id": number}))

    async def scenario(venue, market):
        def requests():
            return [text for text in venue.peer.texts if "req" in json.loads(text)]

        venue.answer = lambda peer, text: None
        async with quick(venue, "BTCUSDT", timing=replace(QUICK, renew=0.3, backoff_longest=10.0)) as feed:
            await until(lambda: venue.peer.texts)
            market.tick()
            await until(lambda: feed.book("BTCUSDT").status == BookState.SYNCING)
            await asyncio.sleep(0.05)
            assert requests() == []
            venue.peer.send({"result": None, "id": json.loads(venue.peer.texts[0])["id"]})
            await until(lambda: len(requests()) == 1)
            await asyncio.sleep(0.1)
            assert len(requests()) == 1
            await until(lambda: len(requests()) == 2)
            assert venue.requests == []             # nothing by REST
    run(scenario)


def test_a_missing_message_of_a_counted_connection_is_met_by_a_new_connection():
    async def scenario(venue, market):
        def event(peer, number, kind, product):
            happened = "2026-02-09T20:32:50.714964855Z"
            levels = [{"side": side, "event_time": happened, "price_level": price, "new_quantity": "1"}
                      for side, price in (("bid", "100"), ("offer", "101"))]
            peer.send({"channel": "l2_data", "client_id": "", "timestamp": happened, "sequence_num": number,
                       "events": [{"type": kind, "product_id": product, "updates": levels}]})

        def answer(peer, text):
            request = json.loads(text)
            if request.get("channel") == "level2":
                for number, product in enumerate(request["product_ids"]):
                    event(peer, number, "snapshot", product)

        venue.answer = answer
        states = States()
        feed = connect("coinbase_advanced", ["BTC-USD", "ETH-USD"], url=venue.url, handler=states)
        feed.timing = QUICK
        async with feed:
            await feed.wait_live(PATIENCE)
            event(venue.peer, 2, "update", "BTC-USD")
            event(venue.peer, 3, "update", "ETH-USD")
            await until(lambda: states.updates == 4)
            del states.changes[:]
            event(venue.peer, 5, "update", "ETH-USD")
            await until(lambda: len(venue.peers) == 2)
            await feed.wait_live(PATIENCE)
            assert {symbol for symbol, _ in states.changes} == {"BTC-USD", "ETH-USD"}
            await asyncio.sleep(0.1)
            assert len(venue.peers) == 2
    run(scenario)


# ---- every venue, over a socket

ROWS = [import_module(f"tests.venues.{module.name}").ROW for module in iter_modules(venue_rows.__path__)]
BIDS, ASKS = [("99.5", "2"), ("99", "1")], [("100.5", "3"), ("101", "4")]


class Speaking:
    """A venue that says to whoever has asked for something what the row of a real one says.

    No answer to any request, so that nothing but the row's own frames is said.
    """

    def __init__(self, row, spec, venue):
        self.row, self.spec, self.venue = row, spec, venue
        self.body = b""
        venue.answer = self.answer
        venue.get = lambda path: (200, {}, self.body)
        if spec.connect_path(["x"]) != spec.connect_path([]):       # the address has asked already
            venue.on_open = lambda peer: self.answer(peer, "")

    def say(self, peer, steps):
        for step in steps:
            if step[0] == "rest":
                self.body = step[2]
            else:
                text = step[1].lstrip().startswith((b"{", b"["))
                peer.raw(frame(TEXT if text else BINARY, step[1]))

    def answer(self, peer, text):
        if text in self.spec.greeting or hasattr(peer, "told"):
            return
        peer.told = True
        self.say(peer, self.row.snapshot(1000, BIDS, ASKS))
        if self.body:                                               # the stream began before the snapshot
            self.say(peer, self.row.delta(999, 1000, BIDS, []))
        if self.row.delta is not None:
            self.say(peer, self.row.delta(1000, 1001, [("99.5", "7")], []))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.venue)
def test_the_book_of_every_venue_is_live_and_is_so_again_after_a_loss(row):
    async def scenario(venue, market):
        spec = load(row.venue)
        Speaking(row, spec, venue)
        feed = connect(row.venue, row.symbol, url=venue.url, market=row.market)
        feed.timing = replace(QUICK, ack=60.0)
        feed.snapshots.backoff_base_s = 0.01
        qty = 7.0 if row.delta is not None else 2.0
        async with feed:
            for _ in range(2):
                await feed.wait_live(PATIENCE)
                book = feed.book(row.symbol)
                await until(lambda book=book: book.raw.best_bid == (99.5, qty))
                assert (book.best_ask, book.bid_levels, book.ask_levels) == ((100.5, 3.0), 2, 2)
                peer = venue.peers[0]
                assert peer.texts[:len(spec.greeting)] == list(spec.greeting)
                assert all(spec.read_control(text.encode()) for text in peer.texts)     # it reads anything
                venue.peer.hang_up()
                await until(lambda book=book: book.status != BookState.LIVE)
            assert feed.pipeline.counters["errors"] == 0, feed.pipeline.last_error
    run(scenario)
