"""Faults: scripts, what strikes and how often, and the proxy that lets them strike the real client."""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import replace

import aiohttp
import pytest

import feeds
from feeds.simulator import faults as kinds
from feeds.simulator.exchange import Exchange
from feeds.simulator.faults import Fault, Faults, Script, ScriptError, change_json, read_script
from feeds.simulator.hall import BookFeed, Hall
from feeds.simulator.proxy import Proxy
from feeds.venues import load
from feeds.venues.dialects import speech
from orderbook import BookState
from tests.loopback import looped, make_certificate, until

VENUE, SYMBOL = "okx", "BTC-USDT"
FRAME = b'{"arg":{"channel":"books","instId":"BTC-USDT"},"data":[{"ts":"1786","seqId":10,"asks":[["1.5","2"]]}]}'


# ---- scripts

def test_a_script_is_read(tmp_path):
    path = tmp_path / "script.toml"
    path.write_text('seed = 7\n[[fault]]\nkind = "drop"\nrate = 0.001\nmatch = "books"\n'
                    '[[fault]]\nkind = "close"\nat_s = [5.0, 60.0]\ncode = 1013\n')
    script = read_script(str(path))
    assert script == Script((Fault("drop", rate=0.001, match="books"), Fault("close", at_s=(5.0, 60.0), code=1013)), 7)


@pytest.mark.parametrize("text, expected", [
    ("fault = 7", "expected a script of faults"),
    ('[[fault]]\nkind = "sneeze"\nrate = 1.0', "expected a kind of drop, "),
    ('[[fault]]\nkind = "drop"', "fault 1 (drop): expected rate"),
    ('[[fault]]\nkind = "drop"\nrate = 2.0', "fault 1 (drop): expected rate"),
    ('[[fault]]\nkind = "drop"\nchance = 0.1', "unknown field"),
    ('[[fault]]\nkind = "corrupt"\nrate = 0.1', "expected the key of a number"),
    ('[[fault]]\nkind = "delist"\nat_s = [1.0]', "expected match, a symbol"),
    ('[[fault]]\nkind = "close"\nat_s = [1.0]\ncode = 7', "expected a code from 1000 to 4999"),
    ('[[fault]]\nkind = "burst"\nrate = 0.1\ncount = 0', "a count of 1 and more"),
    ('[[fault]]\nkind = "drop"\nat_s = [2.0, 1.0]', "at_s in their order"),
    ("[[fault", "expected a script of faults"),
])
def test_a_wrong_script_says_what_was_expected(tmp_path, text, expected):
    path = tmp_path / "script.toml"
    path.write_text(text)
    with pytest.raises(ScriptError, match="script.toml") as error:
        read_script(str(path))
    assert expected in str(error.value)


# ---- what strikes

def strike(fault, frames, **options):
    """What goes out for some frames under one fault."""
    line = Faults(Script((Fault(fault, **{"every": 2, **options}),))).line()
    return [[frame.payload for frame in line.frames(1, payload, 0.0)[0]] for payload in frames]


def test_frames_are_lost_doubled_swapped_and_held():
    frames = [b"1", b"2", b"3", b"4", b"5", b"6", b"7"]
    assert strike("drop", frames) == [[b"1"], [], [b"3"], [], [b"5"], [], [b"7"]]
    assert strike("duplicate", frames[:3]) == [[b"1"], [b"2", b"2"], [b"3"]]
    assert strike("reorder", frames[:5], every=3) == [[b"1"], [b"2"], [], [b"4", b"3"], [b"5"]]
    assert strike("burst", frames, count=3, every=4) == [[b"1"], [b"2"], [b"3"], [], [], [b"4", b"5", b"6"], [b"7"]]


def test_the_same_seed_gives_the_same_faults():
    script = Script((Fault("drop", rate=0.3), Fault("duplicate", rate=0.2), Fault("reset", rate=0.05)), seed=11)
    runs = []
    for _ in range(2):
        faults = Faults(script)
        line = faults.line()
        runs.append([line.frames(1, b"%d" % number, number) for number in range(200)])
    assert runs[0] == runs[1]
    assert faults.counts["drop"] > 30
    assert faults.counts["reset"] > 2


def test_a_fault_strikes_what_it_names_when_it_may():
    faults = Faults(Script((Fault("drop", every=1, match="books", after_s=2.0, until_s=3.0),
                            Fault("close", at_s=(5.0, 6.0), code=1013))))
    line = faults.line()
    assert line.frames(1, b"books", 1.0)[0]
    assert not line.frames(1, b"books", 2.0)[0]
    assert line.frames(1, b"trades", 2.0)[0]
    assert line.frames(1, b"books", 3.0)[0]
    struck = [line.frames(1, b"x", at)[1] is not None for at in (4.9, 5.2, 5.3, 7.0, 8.0)]
    assert struck == [False, True, False, True, False]
    assert faults.counts == {"drop": 1, "close": 2}


def test_json_is_changed_and_the_rest_stays_as_it_was():
    import random
    dice = random.Random(3)
    told = json.loads(FRAME)
    assert json.loads(change_json(FRAME, "add_key", "", dice)) == {**told, "wirebook": "new"}
    dropped = json.loads(change_json(FRAME, "drop_key", "seqId", dice))
    assert dropped["data"] == [{key: value for key, value in told["data"][0].items() if key != "seqId"}]
    retyped = json.loads(change_json(FRAME, "retype_key", "seqId", dice))
    assert retyped["data"][0]["seqId"] == "10"
    assert json.loads(change_json(FRAME, "retype_key", "ts", dice))["data"][0]["ts"] == 1786
    corrupt = json.loads(change_json(FRAME, "corrupt", "seqId", dice))
    assert corrupt["data"][0]["seqId"] != 10
    assert isinstance(corrupt["data"][0]["seqId"], int)
    assert change_json(FRAME, "corrupt", "absent", dice) is None
    assert change_json(b"pong", "add_key", "", dice) is None


# ---- with the real client

class Faulty:
    """A simulated venue behind a proxy with faults, and a feed of one symbol."""

    def __init__(self, *faults, seed=3, rate=300.0, channels=("book",), server=None, client=None):
        self.exchange = Exchange(Hall(load(VENUE), speech(VENUE), [SYMBOL], seed=seed, rate=rate), limits=False)
        self.faults = Faults(Script(faults, seed))
        self.channels = channels
        self.server, self.client = server, client       # TLS contexts

    async def __aenter__(self):
        self.proxy = Proxy(await self.exchange.start(), self.faults, venue=self.exchange.strike,
                           ssl_context=self.server)
        self.task = asyncio.create_task(self.exchange.run())
        self.feed = feeds.connect(VENUE, [SYMBOL], self.channels, url=await self.proxy.start(), ssl=self.client)
        self.feed.timing = replace(self.feed.timing, backoff=0.02, backoff_longest=0.1, renew=0.05, check=0.05,
                                   pong=0.5, look=0.005)
        await self.feed.__aenter__()
        return self

    async def __aexit__(self, *error):
        await self.feed.__aexit__(*error)
        await self.proxy.stop()
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    @property
    def book(self):
        return self.feed.book(SYMBOL)

    def same(self):
        """Whether the book is what the venue's last message left."""
        told = next(feed for feed in self.exchange.hall.floors[0].feeds if isinstance(feed, BookFeed))
        return all(levels.tolist() == [[float(price), float(qty)] for price, qty in told.best(side, 1 << 30)]
                   for levels, side in ((self.book.raw.bids(), 1), (self.book.raw.asks(), -1)))

    async def settle(self):
        """Let the faults have their time, then end them and the market: the book is LIVE and right in the end."""
        await until(lambda: all(self.faults.counts.values()), "every fault")
        self.faults.rest()
        heard = self.feed.pipeline.counters["depth"]       # what is missing shows with the next message
        await until(lambda: self.feed.pipeline.counters["depth"] > heard + 3, "messages after the faults")
        await until(lambda: self.book.status is BookState.LIVE, "a live book")
        self.exchange.hall.step = list
        await until(lambda: self.book.status is BookState.LIVE and self.same(), "the venue's book")


MILD = ("duplicate", "delay", "burst", "fragment", "slice", "add_key")      # nothing is missing: no gap may be seen


@pytest.mark.parametrize("kind", [*kinds.FRAME_KINDS])
@looped
async def test_a_frames_fault_is_survived(kind):
    """A frame that is not as it should be costs at most a resync of that symbol, and never a wrong LIVE book."""
    options = {"key": "seqId"} if kind == "corrupt" else {"seconds": 0.05}
    async with Faulty(Fault(kind, every=7, match='"books"', **options)) as served:
        await until(lambda: served.feed.pipeline.counters["depth"] > 3)
        await served.settle()
        counters = served.feed.pipeline.counters
        if kind in MILD:
            assert counters["gaps"] == counters["errors"] == 0
        if kind == "drop":
            assert counters["gaps"] >= 1


@pytest.mark.parametrize("kind", [*kinds.LINE_KINDS])
@looped
async def test_a_connections_fault_is_survived(kind):
    async with Faulty(Fault(kind, at_s=(0.3,), match='"books"', seconds=0.3)) as served:
        await served.settle()


@pytest.mark.parametrize("code", kinds.CLOSE_CODES)
@looped
async def test_every_close_code_leads_to_a_new_connection(code):
    async with Faulty(Fault("close", at_s=(0.1,), match='"books"', code=code)) as served:
        await served.settle()
        assert served.feed.stats()["lines"][0]["opens"] >= 2


@pytest.mark.parametrize("kind", [*kinds.OPENING_KINDS, *kinds.TLS_KINDS])
@looped
async def test_a_connection_that_is_refused_is_tried_again(kind):
    async with Faulty(Fault(kind, at_s=(0.0, 0.0), seconds=0.2)) as served:
        await served.settle()


@looped
async def test_tls_that_breaks_off_is_a_lost_connection(tmp_path):
    """In the handshake, at the first connection and the next one; and twice behind a record that is none."""
    certificate, key = make_certificate(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    client = ssl.create_default_context(cafile=certificate)
    async with Faulty(Fault("abort_tls", at_s=(0.0, 0.0)), Fault("break_tls", at_s=(0.3, 0.6), match='"books"'),
                      server=server, client=client) as served:
        await until(lambda: served.faults.counts == {"abort_tls": 2, "break_tls": 2}, "every fault")
        await served.settle()
        line = served.feed.stats()["lines"][0]
        assert (line["opens"], line["failures"]) == (3, 2)


@looped
async def test_a_venue_that_numbers_anew_is_joined_anew():
    async with Faulty(Fault("restart", at_s=(0.4,))) as served:
        await until(lambda: served.book.status is BookState.LIVE)
        before = served.book.sequence
        await served.settle()
        assert served.book.sequence != before


@looped
async def test_a_clock_that_jumps_harms_no_book():
    async with Faulty(Fault("clock_jump", at_s=(0.3,), seconds=-3600.0)) as served:
        await served.settle()
        assert served.feed.pipeline.counters["gaps"] == 0


@looped
async def test_a_symbol_that_is_delisted_is_no_longer_told():
    async with Faulty(Fault("delist", at_s=(0.3,), match=SYMBOL)) as served:
        await until(lambda: served.faults.counts["delist"])
        told = served.feed.pipeline.counters["depth"]
        await asyncio.sleep(0.3)
        assert served.feed.pipeline.counters["depth"] - told <= 2


# ---- REST

async def ask(fault, asks, **options):
    """Statuses, bodies and Retry-After of some requests under one fault."""
    exchange = Exchange(Hall(load(VENUE), speech(VENUE), [SYMBOL], seed=1, rate=300.0))
    proxy = Proxy(await exchange.start(), Faults(Script((Fault(fault, **options),))))
    url = (await proxy.start()).replace("ws", "http") + f"/api/v5/market/books?instId={SYMBOL}&sz=5"
    found = []
    async with aiohttp.ClientSession() as session:
        for _ in range(asks):
            try:
                async with session.get(url) as answer:
                    found.append((answer.status, await answer.read(), answer.headers.get("Retry-After")))
            except aiohttp.ClientError:
                found.append((0, b"", None))
            for _ in range(50):
                exchange.hall.step()
    await proxy.stop()
    await exchange.stop()
    return found


@looped
async def test_rest_answers_go_wrong_as_the_script_says():
    first, second = await ask("rest_status", 2, every=2, code=429, seconds=7)
    assert first[0] == 200
    assert second[0] == 429
    assert second[2] == "7"
    fresh, stale, fresh_again = await ask("rest_stale", 3, at_s=(0.0,), after_s=0.0, every=0)
    assert fresh[0] == stale[0] == fresh_again[0] == 200
    one, two, three = await ask("rest_stale", 3, every=2)
    assert one[1] == two[1] != three[1]
    (garbage,) = await ask("rest_garbage", 1, every=1)
    with pytest.raises(ValueError):
        json.loads(garbage[1])
    assert (await ask("rest_reset", 1, every=1))[0][0] == 0
    (slow,) = await ask("rest_slow", 1, every=1, seconds=0.05)
    assert slow[0] == 200
