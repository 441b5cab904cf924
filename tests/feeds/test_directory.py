"""Lists of instruments by REST, page by page, and on disk: kept, aged, broken, and never needed."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
import time
from dataclasses import replace

import pytest

from feeds import directory as directory_module
from feeds import rest as rest_module
from feeds import venues
from feeds.directory import Cache, Directory, ListError, default_cache, fetch_instruments, symbols_of
from feeds.instruments import Instrument, reader
from feeds.listing import UnknownInstrument
from feeds.rest import Rest, RestError
from feeds.venue import Limits, UnknownVenue, UnsupportedChannel
from feeds.venues import load
from tests.lists import RECORDED, list_server, recorded_answers
from tests.own import own_spec

OTHER = "https://api.own.example"


def read(answer):
    for row in answer["rows"]:
        yield Instrument(row["s"], row["tick"], "1", row.get("market", ""), base=row["s"], quote="USD")


def next_page(url, body):
    cursor = json.loads(body).get("next")
    return (f"{url.partition('?')[0]}?cursor={cursor}",) if cursor else ()


SPEC = replace(own_spec(fields=[]), read_instruments=reader("rows with s and tick", read), next_page=next_page,
               instruments_addresses={"": (f"{OTHER}/spot", f"{OTHER}/futures")},
               rest_url=OTHER, limits=Limits(10, 1.0, 10, 10, 0, 0))


def rows(*symbols, tick="0.5", **more):
    return json.dumps({"rows": [{"s": symbol, "tick": tick} for symbol in symbols], **more}).encode()


@pytest.fixture(autouse=True)
def quiet(monkeypatch, tmp_path):
    """No waiting between tries, no budget of another test's server, no cache but the test's own."""
    monkeypatch.setattr(rest_module, "_windows", {})
    monkeypatch.setattr(Rest, "backoff_base_s", 0.001)
    monkeypatch.setenv("WIREBOOK_CACHE", str(tmp_path / "cache"))


class Moved(Rest):
    """A Rest whose server is the venue's own, as far as a Directory can see: what it gets is kept on disk."""

    def __init__(self, spec, url):
        super().__init__(spec)
        self.server = url
        self.asked = 0

    async def get(self, url, weight):
        self.asked += 1
        try:
            return await super().get(url.replace(OTHER, self.server), weight)
        except RestError as error:
            raise RestError(self.spec.name, url, error.status, "refused") from error


def ask(answers, scenario, spec=SPEC):
    """Run `scenario(server, Directory)` against a server; a Directory as the venue's own server would have it."""
    async def main():
        async with list_server(answers) as server:
            rest = Moved(spec, server.url)
            try:
                return await scenario(server, Directory(rest))
            finally:
                await rest.close()
    return asyncio.run(main())


def symbols(listing):
    return [it.symbol for it in listing]


# ---- by REST

def test_all_addresses_and_all_pages_are_asked():
    async def scenario(server, directory):
        listing = await directory.listing()
        assert sorted(symbols(listing)) == ["A", "B", "C", "D"]
        assert sorted(server.asked) == ["/futures", "/spot", "/spot?cursor=2", "/spot?cursor=3"]
        assert listing.age_s < 60
        assert listing.failures == ()
    ask({"/spot": rows("A", next="2"), "/spot?cursor=2": rows("B", next="3"), "/spot?cursor=3": rows("C"),
         "/futures": rows("D")}, scenario)


def test_pages_that_go_in_a_circle_are_asked_once():
    async def scenario(server, directory):
        assert sorted(symbols(await directory.listing())) == ["A", "B", "D"]
        assert sorted(server.asked) == ["/futures", "/spot", "/spot?cursor=2"]
    ask({"/spot": rows("A", next="2"), "/spot?cursor=2": rows("B", next="2"), "/futures": rows("D")}, scenario)


def test_pages_without_end_are_given_up(monkeypatch):
    monkeypatch.setattr(directory_module, "MOST_PAGES", 5)
    numbers = iter(range(10**9))

    async def more(request):
        return rows("A", next=str(next(numbers)))

    async def scenario(server, directory):
        listing = await directory.listing()
        assert "expected at most 5 pages of a list" in listing.failures[0]
    ask({"/spot": more, "/futures": rows("D")}, scenario)


def test_a_list_by_post():
    spec = replace(SPEC, instruments_addresses={"": (f'{OTHER}/info#{{"type":"meta"}}',)})

    async def main():
        async with list_server({'/info#{"type":"meta"}': rows("A")}) as server:
            rest = Rest(spec, server.url)
            assert symbols(await Directory(rest).listing()) == ["A"]
            await rest.close()
    asyncio.run(main())


def test_the_market_of_what_does_not_tell_its_own():
    spec = replace(SPEC, markets=("spot", "futures", "none"), instruments_addresses={
        "spot": (f"{OTHER}/spot",), "futures": (f"{OTHER}/futures",)})

    async def scenario(server, directory):
        listing = await directory.listing()
        assert {it.symbol: it.market for it in listing} == {"A": "spot", "B": "futures"}
        server.asked.clear()
        assert symbols(await directory.listing("futures", max_age_s=0)) == ["B"]
        assert server.asked == ["/futures"]
        with pytest.raises(ListError, match="own none has no list of instruments"):
            await directory.listing("none")
    ask({"/spot": rows("A"), "/futures": rows("B")}, scenario, spec)


@pytest.mark.parametrize(("answer", "words"), [
    (b"nonsense", "own: https://api.own.example/spot: expected rows with s and tick"),
    (b'{"rows":[{"s":"A"}]}', r"/spot: expected rows with s and tick \(missing: 'tick'\)"),
    (b'{"rows":[{"s":"A","tick":"x"}]}', "tick_size of 'A' is 'x'"),
    (404, "own: https://api.own.example/spot: .*status 404"),
    (500, "status 500"),
])
def test_a_list_that_cannot_be_had_or_read(answer, words):
    async def scenario(server, directory):
        listing = await directory.listing()
        assert symbols(listing) == ["D"]
        assert len(listing.failures) == 1
        server.answers["/futures"] = answer
        with pytest.raises(ListError, match=words):
            await directory.listing(max_age_s=0)
        assert not list(directory.cache.folder.rglob("*.json"))     # half a list is not kept
    ask({"/spot": answer, "/futures": rows("D")}, scenario)


def test_a_list_that_is_empty():
    async def scenario(server, directory):
        with pytest.raises(ListError, match="own: .*/spot, .*/futures: expected instruments, found an empty list"):
            await directory.listing()
    ask({"/spot": rows(), "/futures": rows()}, scenario)


def test_a_list_that_does_not_come_in_time():
    async def never(request):
        await asyncio.sleep(1)

    async def scenario(server, directory):
        listing = await directory.listing(within_s=0.2)
        assert symbols(listing) == ["D"]
        assert "no whole list within 0.2 s" in listing.failures[0]
    ask({"/spot": never, "/futures": rows("D")}, scenario)


def test_large_lists_are_read_beside_the_loop():
    def read_instruments(body):
        assert threading.current_thread() is not threading.main_thread()
        return [Instrument("A", "1", "1")]

    async def scenario(server, directory):
        assert symbols(await directory.listing()) == ["A"]
    ask({"/spot": b"", "/futures": b""}, scenario,
        replace(SPEC, read_instruments=read_instruments, next_page=lambda url, body: ()))


# ---- on disk

def test_what_was_had_is_kept_and_asked_for_again_when_it_is_old():
    async def scenario(server, directory):
        first = await directory.listing()
        assert symbols(await directory.listing()) == symbols(first)
        assert directory.rest.asked == 2
        assert list(await directory.listing()) == list(first)
        server.answers["/spot"] = rows("NEW")
        assert "NEW" not in symbols(await directory.listing())
        assert "NEW" in symbols(await directory.listing(max_age_s=0))
        assert "NEW" in symbols(await directory.listing())
        path = directory.cache.path("own", "")
        document = json.loads(path.read_bytes())
        document["fetched_ns"] -= 3600 * 10**9
        path.write_text(json.dumps(document))
        assert (await directory.listing()).age_s == pytest.approx(3600, abs=60)
        before = directory.rest.asked
        assert (await directory.listing(max_age_s=3000)).age_s < 60
        assert directory.rest.asked == before + 2
        assert os.listdir(path.parent) == ["own.json"]
    ask({"/spot": rows("A"), "/futures": rows("B")}, scenario)


@pytest.mark.parametrize("content", [
    b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"version":1}', b"[" * 100_000,
    b'{"version":2,"venue":"own","market":"","fetched_ns":NOW,"instruments":[]}',
    b'{"version":1,"venue":"other","market":"","fetched_ns":NOW,"instruments":[]}',
    b'{"version":1,"venue":"own","market":"x","fetched_ns":NOW,"instruments":[]}',
    b'{"version":1,"venue":"own","market":"","fetched_ns":NOW,"instruments":[{"symbol":7}]}',
    b'{"version":1,"venue":"own","market":"","fetched_ns":99999999999999999999,"instruments":[]}',
    b'{"version":1,"venue":"own","market":"","fetched_ns":9000000000000000000,"instruments":[]}',
])
def test_a_broken_file_is_ignored_and_written_anew(content):
    async def scenario(server, directory):
        path = directory.cache.path("own", "")
        path.parent.mkdir(parents=True)
        path.write_bytes(content.replace(b"NOW", b"%d" % time.time_ns()))
        assert symbols(await directory.listing()) == ["A", "B"]
        assert directory.rest.asked == 2
        assert json.loads(path.read_bytes())["venue"] == "own"
        assert symbols(await directory.listing()) == ["A", "B"]
        assert directory.rest.asked == 2
    ask({"/spot": rows("A"), "/futures": rows("B")}, scenario)


def test_a_folder_that_cannot_be_written_is_no_harm(tmp_path):
    (tmp_path / "file").write_text("")

    async def scenario(server, directory):
        directory.cache = Cache(tmp_path / "file")
        assert symbols(await directory.listing()) == ["A", "B"]
        assert symbols(await directory.listing()) == ["A", "B"]
    ask({"/spot": rows("A"), "/futures": rows("B")}, scenario)


def test_every_field_comes_back_from_disk(tmp_path):
    whole = Instrument("S", "0.1", "0.2", "m", "option", "BTC", "USD", "ETH", "1", "2", "3", "USD", "4", 5, "6", "put",
                       "halted")
    assert all(getattr(whole, name) not in ("", 0) for name in Instrument.__slots__)
    cache = Cache(tmp_path)
    cache.write("own", "m", time.time_ns(), [whole, Instrument("T", "", "")])
    assert cache.read("own", "m", 60).instruments == [whole, Instrument("T", "", "")]
    assert cache.read("own", "", 60) is None


def test_where_lists_are_kept(monkeypatch, tmp_path):
    assert default_cache().path("own", "spot") == tmp_path / "cache" / "instruments" / "own-spot.json"
    monkeypatch.setenv("WIREBOOK_CACHE", "")
    assert default_cache().path("own", "") is None
    monkeypatch.delenv("WIREBOOK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache().folder == tmp_path / "xdg" / "wirebook"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache().folder == tmp_path / ".cache" / "wirebook"


def test_the_lists_of_another_server_are_not_kept(tmp_path):
    async def main():
        async with list_server({"/spot": rows("A"), "/futures": rows("B")}) as server:
            rest = Rest(SPEC, server.url)
            await Directory(rest).listing()
            await Directory(rest).listing()
            await rest.close()
            assert len(server.asked) == 4
            assert not (tmp_path / "cache").exists()
    asyncio.run(main())


# ---- what users call

@pytest.fixture
def own(monkeypatch):
    """`load("own")` gives SPEC."""
    monkeypatch.setitem(globals(), "OWN", SPEC)
    monkeypatch.setitem(venues._MODULES, "own", (__name__, "OWN"))


@pytest.mark.usefixtures("own")
def test_symbols_of_names(caplog):
    async def main():
        async with list_server({"/spot": rows("A"), "/futures": rows("B")}) as server:
            at = {"rest_url": server.url}
            assert await symbols_of("own", ["X", "a"], **at) == ["X", "a"]
            assert server.asked == []                   # nothing to look up
            assert await symbols_of("own", ["A-USD", "X", "b-usd"], **at) == ["A", "X", "B"]
            with pytest.raises(UnknownInstrument, match="own has no instrument C-USD; near: .*A-USD"):
                await symbols_of("own", ["C-USD"], **at)
            server.answers.clear()
            with caplog.at_level(logging.WARNING):
                assert await symbols_of("own", ["A-USD"], **at) == ["A-USD"]
            assert "A-USD is taken as the venue's symbol, as there is no list" in caplog.text
    asyncio.run(main())


@pytest.mark.parametrize(("venue", "options", "error"), [
    ("none", {}, UnknownVenue), ("okx", {"market": "x"}, UnsupportedChannel),
    ("okx", {"rest_url": "ftp://x"}, ValueError), ("okx", {"rest_url": "http://h:1/path"}, ValueError),
])
def test_wrong_arguments(venue, options, error):
    with pytest.raises(error):
        asyncio.run(fetch_instruments(venue, **options))


@pytest.mark.skipif("okx" not in RECORDED, reason="no recorded lists")
def test_recorded_lists_from_a_server():
    """The addresses of today, answered with what was recorded."""
    bodies = {address.partition("instType=")[2].partition("&")[0]: body
              for address, body in recorded_answers("okx").items()}

    async def by_type(request):
        return bodies[request.query["instType"]]

    async def main():
        async with list_server({"/api/v5/public/instruments": by_type}) as server:
            listing = await fetch_instruments("okx", rest_url=server.url)
            assert listing.failures == ()
            assert len(server.asked) == sum(map(len, load("okx").instruments_addresses.values()))
            assert listing.find("BTC-USDT-PERP").symbol == "BTC-USDT-SWAP"
            assert listing.find("BTC-USD-PERP").inverse
            assert listing.find("btc-usdt").kind == "spot"
    asyncio.run(main())
