"""The life of a line: whatever ends it, a new one starts clean; what is asked for is answered or reported."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace

import pytest

from feeds import plan, rest
from feeds.session import SubscribeError
from feeds.venue import BadSymbol, Handshake, Maintenance, NotAuthorised, RateLimited, StreamLost, VenueError
from feeds.venues import load
from orderbook import BookState
from tests.loopback import PATIENCE, PING, PONG, Venue, close_frame, frame, until
from tests.market import QUICK, States, change_spec, change_talk, one_each, quick, run, told


@pytest.fixture(autouse=True)
def fresh_windows(monkeypatch):
    """A port may be given out again, the window of its last owner must not."""
    monkeypatch.setattr(rest, "_windows", {})


# ---- lost and found

LOSSES = {
    "close 1000": lambda peer: peer.raw(close_frame(1000)),
    "close 1001": lambda peer: peer.raw(close_frame(1001, b"restart")),
    "close 1008": lambda peer: peer.raw(close_frame(1008)),
    "close 1011": lambda peer: peer.raw(close_frame(1011)),
    "hang up": lambda peer: peer.hang_up(),
    "reset": lambda peer: peer.reset(),
    "half a frame": lambda peer: (peer.raw(frame(1, b"{" * 100)[:50]), peer.hang_up()),
    "half a message": lambda peer: (peer.raw(frame(1, b'{"e":', fin=False)), peer.hang_up()),
    "bad bits": lambda peer: peer.raw(frame(1, b"{}", rsv=4)),
    "too large": lambda peer: peer.raw(frame(1, b" " * (load("binance_usdm").max_frame_size + 1))),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_every_kind_of_loss_is_followed_by_a_clean_start(loss):
    async def scenario(venue, market):
        states = States()
        async with quick(venue, ["BTCUSDT", "ETHUSDT"], handler=states) as feed, market.running():
            await feed.wait_live(PATIENCE)
            before = len(venue.requests)
            del states.changes[:]
            LOSSES[loss](venue.peer)
            await until(lambda: len(venue.peers) == 2, "a new connection")
            await until(lambda: len(venue.requests) >= before + 2, "new snapshots")
            await feed.wait_live(PATIENCE)
            for symbol in ("BTCUSDT", "ETHUSDT"):
                await until(lambda symbol=symbol: market.agrees(feed.book(symbol)))
                seen = [state for name, state in states.changes if name == symbol]
                assert seen[0] != "LIVE"
                assert seen[-1] == "LIVE"
            assert feed.stats()["lines"][0]["opens"] == 2
    run(scenario)


def test_a_silent_line_is_pinged_and_then_replaced(monkeypatch):
    change_spec(monkeypatch, ping_interval_s=0.02)

    async def scenario(venue, market):
        async with quick(venue, ["BTCUSDT"]):
            first = await until(lambda: venue.peers and venue.peer)
            await until(lambda: len(venue.peers) == 2, "a new connection")
            assert (PING, b"") in first.received
    run(scenario)


def test_a_ping_between_two_lines_goes_nowhere():
    async def scenario(venue, market):
        async with quick(venue, ["BTCUSDT"]) as feed, market.running():
            await feed.wait_live(PATIENCE)
            await venue.stop()
            await until(lambda: feed.connections[0].line is None)
            feed.connections[0].probe()
            await venue.start()
            await feed.wait_live(PATIENCE)
            feed.connections[0].probe()
            await until(lambda: (PING, b"") in venue.peer.received)
    run(scenario)


def test_a_quiet_line_that_answers_pings_is_kept(monkeypatch):
    change_spec(monkeypatch, ping_interval_s=0.02)

    async def scenario(venue, market):
        async with quick(venue, ["BTCUSDT"], timing=replace(QUICK, pong=20)) as feed:
            answered = 0
            while answered < 5:
                pings = [payload for opcode, payload in venue.peer.received if opcode == PING]
                for payload in pings[answered:]:
                    venue.peer.raw(frame(PONG, payload))
                    answered += 1
                await asyncio.sleep(0.002)
            assert len(venue.peers) == 1
            assert feed.stats()["lines"][0]["opens"] == 1
    run(scenario)


def test_a_line_is_replaced_before_its_lifetime_ends(monkeypatch):
    change_spec(monkeypatch, {"connection_lifetime_s": 0.1})

    async def scenario(venue, market):
        async with quick(venue, ["BTCUSDT"]), market.running():
            await until(lambda: len(venue.peers) >= 3)
            await until(lambda: venue.peers[0].closes == [1000])
    run(scenario)


@pytest.mark.parametrize("notice", [{"e": "serverShutdown", "E": 1770123456789},
                                    {"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": 1}}])
def test_a_shutdown_notice_is_followed_by_a_new_connection(notice):
    async def scenario(venue, market):
        async with quick(venue, ["BTCUSDT"]) as feed, market.running():
            await feed.wait_live(PATIENCE)
            venue.peer.send(notice)
            await until(lambda: len(venue.peers) == 2)
            await until(lambda: "shutdown" in feed.stats()["lines"][0]["ended"])
            await until(lambda: venue.peers[0].closes == [1000])
            assert feed.book("BTCUSDT").status == BookState.LIVE      # the second came before the first went
            assert "connection closed" not in feed.pipeline.states()
            [line] = feed.stats()["lines"]
            assert line["messages"] > 0.8 * feed.pipeline.counters["frames"] > 0        # of both, taken together
    run(scenario)


def test_a_line_with_another_one_beside_it_is_made_anew_at_a_shutdown_notice():
    """Its streams come on the other one meanwhile: there is no need of a third."""
    async def scenario(venue, market):
        async with quick(venue, ["BTCUSDT"], lines=2) as feed, market.running():
            await feed.wait_live(PATIENCE)
            await until(lambda: [line["confirmed"] for line in feed.stats()["lines"]] == [1, 1])
            venue.peers[0].send({"e": "serverShutdown", "E": 1770123456789})
            await until(lambda: venue.peers[0].closes == [1000])
            await until(lambda: len(venue.peers) == 3)
            await until(lambda: sum(line["opens"] for line in feed.stats()["lines"]) == 3)
            assert len(feed.stats()["lines"]) == 2
            assert venue.peers[1].closes == []
            assert feed.book("BTCUSDT").status == BookState.LIVE
            assert "connection closed" not in feed.pipeline.states()
    run(scenario)


def test_lines_are_known_to_carry_a_book_once_the_venue_has_confirmed_it(monkeypatch):
    """Before anything has come: what one of them lacks the other may bring."""
    change_talk(monkeypatch)

    async def scenario(venue, market):
        def carried():
            return [feed.pipeline.carries(line, "BTCUSDT") for line in (0, 1)]

        venue.answer = lambda peer, text: None
        async with quick(venue, ["BTCUSDT"], lines=2) as feed:
            await until(lambda: len(venue.peers) == 2 and all(asked(peer) for peer in venue.peers))
            await asyncio.sleep(0.05)
            assert carried() == [False, False]
            for peer in venue.peers:
                peer.send({"result": None, "id": json.loads(peer.texts[0])["id"]})
            await until(lambda: carried() == [True, True])
    run(scenario)


def test_a_line_beside_it_that_carries_nothing_yet_is_no_reason_to_end_one(monkeypatch):
    change_talk(monkeypatch)

    async def scenario(venue, market):
        def answer(peer, text):
            if peer is venue.peers[0]:
                venue.acknowledge(peer, text)

        venue.answer = answer
        async with quick(venue, ["BTCUSDT"], lines=2) as feed:
            await until(lambda: sorted(line["confirmed"] for line in feed.stats()["lines"]) == [0, 1])
            await until(lambda: len(venue.peers) == 2 and all(asked(peer) for peer in venue.peers))
            venue.peers[0].send({"e": "serverShutdown", "E": 1770123456789})
            await until(lambda: len(venue.peers) == 3 and asked(venue.peers[2]))
            await asyncio.sleep(0.05)
            assert venue.peers[0].closes == []              # nobody else is known to bring it
            venue.peers[2].send({"result": None, "id": json.loads(venue.peers[2].texts[0])["id"]})
            await until(lambda: venue.peers[0].closes == [1000])
    run(scenario)


# ---- requests and answers

def test_long_lists_are_subscribed_by_messages_in_batches(monkeypatch):
    change_spec(monkeypatch, {"streams_per_request": 4, "messages_per_second": 1000})
    monkeypatch.setattr(plan, "LONGEST_URL", 100)

    async def scenario(venue, market):
        symbols = [f"S{number}USDT" for number in range(10)]
        async with quick(venue, symbols) as feed, market.running():
            await feed.wait_live(PATIENCE)
            assert venue.peer.path == "/public/stream"
            requests = [json.loads(text) for text in venue.peer.texts]
            assert sorted(len(request["params"]) for request in requests) == [2, 4, 4]
            assert len({request["id"] for request in requests}) == 3
            await until(lambda: feed.stats()["lines"][0]["confirmed"] == 10)
    run(scenario)


def test_requests_keep_to_the_rate_of_messages(monkeypatch):
    change_spec(monkeypatch, {"streams_per_request": 1, "messages_per_second": 4})
    monkeypatch.setattr(plan, "LONGEST_URL", 0)

    async def scenario(venue, market):
        times = []
        venue.answer = lambda peer, text: (times.append(time.monotonic()), venue.acknowledge(peer, text))
        async with quick(venue, [f"S{number}" for number in range(4)]):
            await until(lambda: len(times) == 4)
        assert times[3] - times[0] > 0.5        # three at once, the fourth a second later
    run(scenario)


def test_a_missing_answer_is_reported_and_the_request_repeated(caplog):
    async def scenario(venue, market):
        venue.answer = lambda peer, text: None
        async with quick(venue, ["BTCUSDT"], timing=replace(QUICK, ack=0.03)) as feed:
            with pytest.raises((SubscribeError, TimeoutError), match="ethusdt@depth@100ms"):
                await feed.subscribe("ETHUSDT")
            await until(lambda: feed.stats()["refused"])
            assert feed.stats()["lines"][0]["missing_acks"] == 3
            assert [json.loads(text)["params"] for text in venue.peer.texts] == [["ethusdt@depth@100ms"]] * 3
            assert "no answer to request" in caplog.text
    run(scenario)


def test_renewing_unsubscribes_and_subscribes_again():
    async def scenario(venue, market):
        async with quick(venue, ["BTCUSDT", "ETHUSDT"]) as feed:
            feed.connections[0].renew(["btcusdt@depth@100ms", "never@asked"])
            await until(lambda: len(venue.peer.texts) == 2)
            methods = [(request["method"], request["params"]) for request in map(json.loads, venue.peer.texts)]
            assert methods == [("UNSUBSCRIBE", ["btcusdt@depth@100ms"]), ("SUBSCRIBE", ["btcusdt@depth@100ms"])]
            await until(lambda: feed.stats()["lines"][0]["confirmed"] == 2)
    run(scenario)


def asked(peer):
    """(method, streams) of the requests on a connection."""
    return [(request["method"], request["params"]) for request in map(json.loads, peer.texts) if "params" in request]


def test_requests_are_made_so_that_each_is_one_frame(monkeypatch):
    change_talk(monkeypatch, subscribe=one_each("SUBSCRIBE"))

    async def scenario(venue, market):
        symbols = [f"S{number}USDT" for number in range(30)]
        async with quick(venue, symbols) as feed:
            await until(lambda: feed.stats()["lines"][0]["confirmed"] == 30)
            assert sorted(params for _, params in asked(venue.peer)) == sorted(
                [f"{symbol.lower()}@depth@100ms"] for symbol in symbols)
            assert len({json.loads(text)["id"] for text in venue.peer.texts}) == 30
    run(scenario)


@pytest.mark.parametrize("answer", [
    lambda request: [told("ack", request_id=request["id"])],
    lambda request: [told("ack", streams=[name]) for name in request["params"]],                # as okx does
    lambda request: [told("ack", request_id=request["id"], streams=[name]) for name in request["params"]],
    lambda request: [told("ack", streams=["BTCUSDT"]), told("ack", streams=["ETHUSDT"])],       # no channel told
    lambda request: [told("ack")],                                                              # nothing told
    lambda request: [told("ack", request_id=999999), told("other", text="welcome"), told("ack")],
], ids=["id", "names", "id and name", "symbols", "bare", "after others"])
def test_every_way_of_answering_is_understood(monkeypatch, answer):
    change_talk(monkeypatch)

    async def scenario(venue, market):
        venue.answer = lambda peer, text: peer.send(*answer(json.loads(text)))
        async with quick(venue, ["BTCUSDT", "ETHUSDT"], timing=replace(QUICK, ack=0.2)) as feed:
            await until(lambda: feed.stats()["lines"][0]["confirmed"] == 2)
            await asyncio.sleep(0.3)
            assert feed.stats()["lines"][0]["missing_acks"] == 0
            assert len(venue.peer.texts) == 1
    run(scenario)


def test_a_request_answered_in_part_is_repeated_for_the_rest(monkeypatch):
    change_talk(monkeypatch)

    async def scenario(venue, market):
        def answer(peer, text):
            peer.send(told("ack", streams=json.loads(text)["params"][:1]))

        venue.answer = answer
        async with quick(venue, ["AUSDT", "BUSDT"], timing=replace(QUICK, ack=0.05)) as feed:
            await until(lambda: feed.stats()["lines"][0]["confirmed"] == 2)
            assert asked(venue.peer) == [("SUBSCRIBE", ["ausdt@depth@100ms", "busdt@depth@100ms"]),
                                         ("SUBSCRIBE", ["busdt@depth@100ms"])]
            assert feed.stats()["lines"][0]["missing_acks"] == 1
    run(scenario)


def test_a_live_book_is_an_answer(monkeypatch):
    change_talk(monkeypatch)

    async def scenario(venue, market):
        venue.answer = lambda peer, text: None
        async with quick(venue, "BTCUSDT", timing=replace(QUICK, ack=0.5)) as feed, market.running():
            await feed.wait_live(PATIENCE)
            await until(lambda: feed.stats()["lines"][0]["confirmed"] == 1)
            await asyncio.sleep(0.6)
            assert feed.stats()["lines"][0]["missing_acks"] == 0
    run(scenario)


# ---- greetings and heartbeats

def test_the_greeting_comes_first_on_every_connection(monkeypatch):
    change_talk(monkeypatch, greeting=('{"id":0,"hello":1}', '{"id":0,"hello":2}'))

    async def scenario(venue, market):
        async with quick(venue, "BTCUSDT") as feed:
            await until(lambda: feed.stats()["lines"][0]["confirmed"] == 1)
            venue.peer.hang_up()
            await until(lambda: len(venue.peers) == 2)
            await until(lambda: feed.stats()["lines"][0]["confirmed"] == 1)
            for peer in venue.peers:
                assert peer.texts[:2] == ['{"id":0,"hello":1}', '{"id":0,"hello":2}']
                assert asked(peer) == [("SUBSCRIBE", ["btcusdt@depth@100ms"])]
    run(scenario)


def test_the_clients_own_ping_keeps_a_quiet_line(monkeypatch):
    change_talk(monkeypatch, ping="ping", ping_interval_s=0.1)

    async def scenario(venue, market):
        def answer(peer, text):
            peer.send(told("pong") if text == "ping" else {"result": None, "id": json.loads(text)["id"]})

        venue.answer = answer
        async with quick(venue, "BTCUSDT") as feed:
            await until(lambda: feed.stats()["lines"][0]["confirmed"] == 1)
            await until(lambda: venue.peer.texts.count("ping") >= 5)
            assert len(venue.peers) == 1
            assert (PING, b"") not in venue.peer.received
            venue.answer = lambda peer, text: None      # and nothing comes any more
            before = len(venue.peer.texts)
            first = venue.peer
            await until(lambda: len(venue.peers) == 2)
            assert 1 <= len(first.texts) - before <= 6
    run(scenario)


def test_ping_frames_are_sent_where_the_venue_wants_them(monkeypatch):
    change_spec(monkeypatch, ping_frames=True, ping_interval_s=0.1)

    async def scenario(venue, market):
        async with quick(venue, "BTCUSDT"), market.running():
            await until(lambda: venue.peer.received.count((PING, b"")) >= 3)    # the line is not silent at all
            assert len(venue.peers) == 1
    run(scenario)


def test_roots_may_have_pings_of_their_own(monkeypatch):
    change_talk(monkeypatch, ping="ping", pings={"market": lambda: "PI" + "NG"}, ping_interval_s=0.1)

    async def scenario(venue, market):
        async with quick(venue, "BTCUSDT", ("book", "mark")):
            venue.answer = lambda peer, text: peer.send(told("pong"))
            await until(lambda: all(text in peer.texts for peer, text in zip(
                sorted(venue.peers, key=lambda peer: peer.path), ("PING", "ping"), strict=True)))
    run(scenario)


def test_the_venues_ping_is_answered_at_once_whatever_waits(monkeypatch):
    change_talk(monkeypatch, {"messages_per_second": 2, "streams_per_request": 1})

    async def scenario(venue, market):
        async with quick(venue, ["AUSDT", "BUSDT", "CUSDT"]):
            await until(lambda: len(venue.peer.texts) == 1)         # the others wait for their second
            venue.peer.send(told("ping", reply='{"id":0,"pong":7}'))
            await until(lambda: len(venue.peer.texts) >= 2)
            assert venue.peer.texts[1] == '{"id":0,"pong":7}'
    run(scenario)


def test_no_lifetime_means_no_planned_end(monkeypatch):
    change_spec(monkeypatch, {"connection_lifetime_s": 0})

    async def scenario(venue, market):
        async with quick(venue, ["BTCUSDT"]), market.running():
            await asyncio.sleep(0.2)
            assert len(venue.peers) == 1
    run(scenario)


# ---- errors

def refusing(reason, bad, named=True, code=60018):
    """An `answer` that refuses the streams in `bad` one by one, or (not `named`) a whole request that holds any."""
    def answer(peer, text):
        request = json.loads(text)
        wrong = [name for name in request["params"] if name in bad]
        if request["method"] != "SUBSCRIBE" or not wrong:
            peer.send({"result": None, "id": request["id"]})
        elif named:
            peer.send(*(told("error", code=code, text=f"no {name}", streams=[name], reason=reason) for name in wrong))
            peer.send(told("ack", streams=[name for name in request["params"] if name not in bad]))
        else:
            peer.send(told("error", code=code, text="something is wrong", request_id=request["id"], reason=reason))
    return answer


@pytest.mark.parametrize("reason, kind", [("bad_symbol", BadSymbol), ("authorisation", NotAuthorised)])
def test_a_refused_stream_is_left_out_and_told_with_its_type(monkeypatch, reason, kind):
    change_talk(monkeypatch)

    async def scenario(venue, market):
        venue.answer = refusing(reason, {"nope@depth@100ms"})
        market.unknown.add("NOPE")
        states = States()
        async with quick(venue, ["BTCUSDT", "NOPE"], handler=states) as feed, market.running():
            await until(lambda: market.agrees(feed.book("BTCUSDT")) and feed.stats()["refused"])
            stats = feed.stats()
            assert stats["refused"] == {"nope@depth@100ms": "60018: no nope@depth@100ms"}
            [error] = stats["errors"]
            assert type(error) is kind
            assert (error.venue, error.code, error.text) == ("binance_usdm", 60018, "no nope@depth@100ms")
            assert states.notes == [("NOPE", str(error))]
            with pytest.raises(TimeoutError, match=r"NOPE \(EMPTY, refused: 60018: no nope"):
                await feed.wait_live(0.02)
            with pytest.raises(SubscribeError, match="no nope@depth@100ms") as caught:
                await feed.subscribe("NOPE")
            assert type(caught.value.__cause__) is kind
            assert len(venue.peers) == 1
            assert feed.stats()["silent"] == []
    run(scenario)


@pytest.mark.parametrize("reason", ["bad_symbol", ""])
def test_a_bad_name_that_spoils_its_whole_request_is_found(monkeypatch, reason):
    change_talk(monkeypatch)

    async def scenario(venue, market):
        venue.answer = refusing(reason, {"nope@depth@100ms"}, named=False)
        symbols = [f"S{number}USDT" for number in range(6)]
        async with quick(venue, [*symbols[:3], "NOPE", *symbols[3:]]) as feed:
            await until(lambda: feed.stats()["lines"][0]["confirmed"] == 6)
            assert await until(lambda: feed.stats()["refused"]) == {"nope@depth@100ms": "60018: something is wrong"}
            assert len(asked(venue.peer)) <= 7
    run(scenario)


@pytest.mark.parametrize("rejects_all", [True, False])
def test_what_else_was_in_a_request_with_a_bad_name_is_asked_for_if_it_is_not_answered(monkeypatch, rejects_all):
    change_talk(monkeypatch)

    async def scenario(venue, market):
        def answer(peer, text):
            request = json.loads(text)
            names, number = request["params"], request["id"]
            if "nope@depth@100ms" in names:
                peer.send(told("error", text="no", request_id=number, streams=["nope@depth@100ms"],
                               reason="bad_symbol"))
            if "nope@depth@100ms" not in names or not rejects_all:
                peer.send(*(told("ack", request_id=number, streams=[name]) for name in names if "nope" not in name))

        venue.answer = answer
        async with quick(venue, ["AUSDT", "NOPE", "ZUSDT"], timing=replace(QUICK, ack=1.0)) as feed:
            await until(lambda: feed.stats()["lines"][0]["confirmed"] == 2)
            await asyncio.sleep(0.15)
            requests = [("SUBSCRIBE", ["ausdt@depth@100ms", "nope@depth@100ms", "zusdt@depth@100ms"])]
            if rejects_all:
                requests.append(("SUBSCRIBE", ["ausdt@depth@100ms", "zusdt@depth@100ms"]))
            assert asked(venue.peer) == requests
            assert feed.stats()["lines"][0]["missing_acks"] == 0
            assert list(feed.stats()["refused"]) == ["nope@depth@100ms"]
    run(scenario)


def test_errors_that_name_nobody_come_in_the_order_of_the_requests(monkeypatch):
    change_talk(monkeypatch, subscribe=one_each("SUBSCRIBE"))

    async def scenario(venue, market):
        def answer(peer, text):
            [name] = json.loads(text)["params"]
            if "nope" in name:
                peer.send(told("error", text="no such channel", reason="bad_symbol"))
            else:
                peer.send(told("ack", streams=[name]))

        venue.answer = answer
        async with quick(venue, ["AUSDT", "NOPE", "BUSDT", "NOPE2", "CUSDT"]) as feed:
            await until(lambda: feed.stats()["lines"][0]["confirmed"] == 3)
            await until(lambda: sorted(feed.stats()["refused"]) == ["nope2@depth@100ms", "nope@depth@100ms"])
            assert len(venue.peer.texts) == 5
    run(scenario)


def test_a_stream_that_was_blamed_by_mistake_is_accepted_after_all(monkeypatch):
    change_talk(monkeypatch, subscribe=one_each("SUBSCRIBE"))

    async def scenario(venue, market):
        venue.answer = lambda peer, text: None
        async with quick(venue, ["AUSDT", "NOPE"], timing=replace(QUICK, ack=0.1)) as feed:
            await until(lambda: len(venue.peer.texts) == 2)
            venue.peer.send(told("error", text="no such channel", reason="bad_symbol"))
            await until(lambda: "ausdt@depth@100ms" in feed.stats()["refused"])
            venue.answer = lambda peer, text: peer.send(told("error", text="no such channel", reason="bad_symbol"))
            venue.peer.send(told("ack", streams=["ausdt@depth@100ms"]))
            await until(lambda: list(feed.stats()["refused"]) == ["nope@depth@100ms"])
            await until(lambda: feed.stats()["lines"][0]["confirmed"] == 1)
    run(scenario)


def test_an_error_without_a_name_is_told_and_costs_nothing(monkeypatch):
    change_talk(monkeypatch)

    async def scenario(venue, market):
        states = States()
        async with quick(venue, ["BTCUSDT"], handler=states) as feed, market.running():
            await feed.wait_live(PATIENCE)
            venue.peer.send(told("error", code="x", text="odd"), told("error", text="odd", streams=["nobody@knows"]))
            venue.peer.send(told("other", text="welcome"), told("error", text="odd"))
            await until(lambda: len(feed.stats()["errors"]) == 3)
            assert [type(error) for error in feed.stats()["errors"]] == [VenueError] * 3
            assert states.notes == [(None, "binance_usdm: odd (code x)"), *[(None, "binance_usdm: odd")] * 2]
            assert feed.stats()["refused"] == {}
            assert feed.book("BTCUSDT").status == BookState.LIVE
            assert len(venue.peers) == 1
    run(scenario)


def test_errors_are_kept_up_to_a_hundred_and_a_broken_handler_is_none_of_them(monkeypatch, caplog):
    change_talk(monkeypatch)

    class Broken:
        def on_status(self, book, old, new, reason):
            if old is new:
                raise ValueError("broken handler")

    async def scenario(venue, market):
        async with quick(venue, ["BTCUSDT"], handler=Broken()) as feed:
            venue.peer.send(*(told("error", code=number, text="odd") for number in range(150)))
            await until(lambda: feed.stats()["errors"] and feed.stats()["errors"][-1].code == 149)
            assert [error.code for error in feed.stats()["errors"]] == list(range(50, 150))
            assert "broken handler" in caplog.text
    run(scenario)


@pytest.mark.parametrize("names_request", [True, False])
def test_a_rate_limit_makes_requests_wait_longer_each_time(monkeypatch, names_request):
    change_talk(monkeypatch)

    async def scenario(venue, market):
        times = []

        def answer(peer, text):
            times.append(time.monotonic())
            request = json.loads(text)
            if len(times) <= 3:
                about = {"request_id": request["id"]} if names_request else {}
                peer.send(told("error", code=429, text="slow down", reason="rate_limit", **about))
            else:
                peer.send({"result": None, "id": request["id"]})

        venue.answer = answer
        timing = replace(QUICK, backoff=0.1, backoff_longest=5.0)
        async with quick(venue, ["BTCUSDT", "ETHUSDT"], timing=timing) as feed:
            await until(lambda: feed.stats()["lines"][0]["confirmed"] == 2)
            waits = [later - before for before, later in zip(times, times[1:], strict=False)]
            assert len(waits) == 3
            assert all(wait >= least for wait, least in zip(waits, (0.05, 0.1, 0.2), strict=True)), waits
            assert all(params == ["btcusdt@depth@100ms", "ethusdt@depth@100ms"] for _, params in asked(venue.peer))
            assert [type(error) for error in feed.stats()["errors"]] == [RateLimited] * 3
            assert feed.stats()["refused"] == {}
            assert len(venue.peers) == 1
    run(scenario)


def test_what_a_rate_limit_makes_requests_wait_doubles(monkeypatch, virtually):
    change_talk(monkeypatch)

    async def scenario():
        times = []

        def answer(peer, text):
            times.append(asyncio.get_running_loop().time())
            peer.send(told("error", code=429, text="slow down", reason="rate_limit", request_id=json.loads(text)["id"]))

        async with Venue() as venue:
            venue.answer = answer
            timing = replace(QUICK, backoff=8.0, backoff_longest=60.0)
            async with quick(venue, ["BTCUSDT"], timing=timing):
                while len(times) < 6:
                    await asyncio.sleep(0.1)
        return times

    times = virtually(scenario())
    waits = [later - before for before, later in zip(times, times[1:], strict=False)]
    for wait, most in zip(waits, (8.0, 16.0, 32.0, 60.0, 60.0), strict=True):
        assert 0.5 * most <= wait <= most + 0.1


def test_greetings_and_answers_to_pings_are_within_the_rate_of_messages(monkeypatch, virtually):
    """Three messages a second, and one more that is kept for pings: two greetings leave one for the first second."""
    change_talk(monkeypatch, {"messages_per_second": 4, "streams_per_request": 1}, greeting=(
        '{"id":0,"hello":1}', '{"id":0,"hello":2}'))

    async def scenario():
        times = []

        def answer(peer, text):
            times.append(asyncio.get_running_loop().time())
            venue.acknowledge(peer, text)

        async with Venue() as venue:
            venue.answer = answer
            async with quick(venue, ["AUSDT", "BUSDT", "CUSDT", "DUSDT"]):
                while len(times) < 6:
                    await asyncio.sleep(0.01)
        return times

    times = virtually(scenario())
    assert times[2] - times[0] < 0.1
    assert times[3] - times[0] >= 1.0


def test_maintenance_is_waited_out_with_growing_pauses(monkeypatch):
    change_talk(monkeypatch)

    async def scenario(venue, market):
        times = []

        def closed(peer):
            times.append(time.monotonic())
            if len(times) <= 3:
                peer.send(told("error", code=20060, text="back soon", reason="maintenance"))

        venue.on_open = closed
        timing = replace(QUICK, backoff=0.1, backoff_longest=5.0, steady=10.0)
        async with quick(venue, ["BTCUSDT"], timing=timing) as feed, market.running():
            await until(lambda: len(times) == 4)
            await feed.wait_live(PATIENCE)
            waits = [later - before for before, later in zip(times, times[1:], strict=False)]
            assert all(wait >= least for wait, least in zip(waits, (0.05, 0.1, 0.2), strict=True)), waits
            assert {type(error) for error in feed.stats()["errors"]} == {Maintenance}
            assert "back soon" in feed.stats()["lines"][0]["ended"]
            assert feed.stats()["refused"] == {}
    run(scenario)


def test_a_lost_stream_is_subscribed_again_and_its_book_not_trusted_meanwhile(monkeypatch):
    change_talk(monkeypatch)

    async def scenario(venue, market):
        states = States()
        async with quick(venue, ["BTCUSDT", "ETHUSDT"], handler=states) as feed, market.running():
            await feed.wait_live(PATIENCE)
            del states.changes[:]
            venue.peer.send(told("error", text="dropped", streams=["btcusdt@depth@100ms"], reason="stream_lost"))
            await until(lambda: len(asked(venue.peer)) == 2)
            assert asked(venue.peer)[1] == ("SUBSCRIBE", ["btcusdt@depth@100ms"])
            await until(lambda: feed.stats()["lines"][0]["confirmed"] == 2)
            await until(lambda: ("BTCUSDT", "LIVE") in states.changes)
            assert states.changes[0][0] == "BTCUSDT"
            assert {symbol for symbol, _ in states.changes} == {"BTCUSDT"}
            assert [type(error) for error in feed.stats()["errors"]] == [StreamLost]
            assert len(venue.peers) == 1
    run(scenario)


def test_a_name_that_makes_the_venue_hang_up_is_found_and_left_out(monkeypatch):
    change_talk(monkeypatch, subscribe=one_each("SUBSCRIBE"))

    async def scenario(venue, market):
        def answer(peer, text):
            if "nope" in text:
                peer.reset()
            else:
                venue.acknowledge(peer, text)

        venue.answer = answer
        async with quick(venue, ["AUSDT", "NOPE", "ZUSDT"]) as feed, market.running():
            await until(lambda: "nope@depth@100ms" in feed.stats()["refused"])
            await until(lambda: feed.stats()["lines"][0]["confirmed"] == 2)
            for symbol in ("AUSDT", "ZUSDT"):
                await until(lambda symbol=symbol: market.agrees(feed.book(symbol)))
            peers = len(venue.peers)
            assert peers <= 6
            venue.peer.hang_up()                # it is not asked for again on the next line
            await until(lambda: feed.stats()["lines"][0]["confirmed"] == 2 and len(venue.peers) > peers)
            await asyncio.sleep(0.1)
            assert len(venue.peers) == peers + 1
            assert not any("nope" in text for text in venue.peer.texts)
    run(scenario)


def test_a_venue_that_hangs_up_on_everybody_loses_no_stream_for_good(monkeypatch):
    change_talk(monkeypatch)

    async def scenario(venue, market):
        venue.answer = lambda peer, text: peer.reset()
        async with quick(venue, ["AUSDT", "BUSDT"]) as feed, market.running():
            await until(lambda: len(venue.peers) >= 8)
            assert feed.stats()["refused"] == {}
            venue.answer = venue.acknowledge
            await feed.wait_live(PATIENCE)
    run(scenario)


# ---- new beginnings

def test_what_an_acknowledgement_names_is_used_for_unsubscribing(monkeypatch):
    change_talk(monkeypatch)

    async def scenario(venue, market):
        def answer(peer, text):
            request = json.loads(text)
            peer.send(*(told("ack", streams=[name], handle=f"channel {len(name)}") for name in request["params"]))

        venue.answer = answer
        async with quick(venue, ["BTCUSDT", "LONGUSDT"]) as feed:
            await until(lambda: feed.stats()["lines"][0]["confirmed"] == 2)
            await feed.unsubscribe("LONGUSDT")
            await until(lambda: len(venue.peer.texts) == 2)
            assert asked(venue.peer)[1] == ("UNSUBSCRIBE", ["channel 20"])
    run(scenario)


def test_where_one_cannot_unsubscribe_a_renewal_is_a_new_connection(monkeypatch):
    change_talk(monkeypatch, unsubscribe=lambda names, number: [])

    async def scenario(venue, market):
        async with quick(venue, ["BTCUSDT", "ETHUSDT"]) as feed:
            await until(lambda: feed.stats()["lines"][0]["confirmed"] == 2)
            await feed.unsubscribe("ETHUSDT")
            await asyncio.sleep(0.05)
            assert len(venue.peers) == 1            # what comes of it is ignored
            feed.connections[0].renew(["btcusdt@depth@100ms"])
            await until(lambda: len(venue.peers) == 2)
            await until(lambda: asked(venue.peer) == [("SUBSCRIBE", ["btcusdt@depth@100ms"])])
    run(scenario)


def test_a_snapshot_is_requested_once_the_stream_is_confirmed(monkeypatch):
    change_talk(monkeypatch, request=lambda name, number: json.dumps({"req": name, "id": number}))

    async def scenario(venue, market):
        venue.answer = lambda peer, text: None
        async with quick(venue, ["BTCUSDT"]) as feed:
            await until(lambda: venue.peer.texts)
            feed.connections[0].request_snapshot("btcusdt@depth@100ms")
            await asyncio.sleep(0.05)
            assert len(venue.peer.texts) == 1
            venue.peer.send({"result": None, "id": json.loads(venue.peer.texts[0])["id"]})
            await until(lambda: len(venue.peer.texts) == 2)
            assert json.loads(venue.peer.texts[1])["req"] == "btcusdt@depth@100ms"
    run(scenario)


def test_a_snapshot_is_requested_at_once_where_the_stream_is_there(monkeypatch):
    change_talk(monkeypatch, request=lambda name, number: json.dumps({"req": name, "id": number}))

    async def scenario(venue, market):
        async with quick(venue, ["BTCUSDT"], timing=replace(QUICK, check=1000.0)) as feed:
            await until(lambda: feed.stats()["lines"][0]["confirmed"] == 1)
            await asyncio.sleep(0.05)                       # whatever the answer itself makes it ask for is asked for
            feed.connections[0].request_snapshot("btcusdt@depth@100ms")
            await until(lambda: len(venue.peer.texts) == 2)
            assert json.loads(venue.peer.texts[1])["req"] == "btcusdt@depth@100ms"
    run(scenario)


# ---- where to connect

def shaking(**changes):
    """A root whose address is told by a POST."""
    return {"handshake": {"public": Handshake("https://api.venue.test/bullet", read_place)}, **changes}


def read_place(answer, number):
    return f"wss://far.venue.test/endpoint?token={json.loads(answer)['token']}&id={number}"


def test_a_handshake_tells_where_to_connect(monkeypatch):
    change_talk(monkeypatch, **shaking(connect_path=lambda names: ""))

    async def scenario(venue, market):
        answers = [(500, b""), (200, b"nonsense"), (200, b'{"token":"first"}'), (200, b'{"token":"next"}')]
        venue.get = lambda path: (answers[0][0], {}, answers.pop(0)[1])
        async with quick(venue, "BTCUSDT", rest_url=venue.url.replace("ws", "http")) as feed:
            assert venue.requests == ["/bullet"] * 3
            assert venue.peer.path.startswith("/endpoint?token=first&id=")
            assert feed.stats()["lines"][0]["failures"] == 2
            assert "does not tell where to connect" in feed.stats()["lines"][0]["ended"]
            venue.peer.hang_up()
            await until(lambda: len(venue.peers) == 2)
            assert venue.peer.path.startswith("/endpoint?token=next&id=")
    run(scenario)


def test_a_server_that_stands_for_the_venue_is_not_asked(monkeypatch):
    change_talk(monkeypatch, **shaking(connect_path=lambda names: ""))

    async def scenario(venue, market):
        async with quick(venue, "BTCUSDT"):
            assert venue.requests == []
            assert venue.peer.path == "/public"
    run(scenario)
