"""Connections by a proxy: WebSocket and REST, plain and TLS, and a password that nobody gets to see."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import ssl
from dataclasses import replace

import pytest

import feeds
from feeds.plan import proxy_for
from feeds.rest import RestError
from orderbook import BookState
from tests.feeds.test_exchange import Serving, looped
from tests.loopback import make_certificate, until

VENUE, SYMBOL = "bitstamp", "btcusd"      # its snapshots come by REST
SECRET = "s3cret%2Fword"                # as it stands in an address; it is s3cret/word


class Proxy:
    """An HTTP proxy: CONNECT, and requests with a whole address. `asked`: the first line of each request."""

    def __init__(self, user="", password="", mute=False):
        self.wanted = f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}" if user else ""
        self.mute = mute
        self.asked, self.tasks = [], []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._take, "127.0.0.1")
        self.place = f"127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *error):
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await asyncio.sleep(0.01)               # for what was aborted to be gone

    async def _take(self, reader, writer):
        self.tasks.append(asyncio.current_task())
        with contextlib.suppress(asyncio.CancelledError):
            await self._answer(reader, writer)
        writer.transport.abort()

    async def _answer(self, reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *rest = head.split("\r\n")
            self.asked.append(first)
            headers = dict(line.split(": ", 1) for line in rest if line)
            if self.mute:
                await asyncio.sleep(60)
            if self.wanted and headers.get("Proxy-Authorization") != self.wanted:
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n"
                             b"Content-Length: 0\r\nConnection: close\r\n\r\n")
                await reader.read()
            else:
                await self._forward(first.split()[0], first.split()[1], headers, reader, writer)
            await writer.drain()

    async def _forward(self, method, address, headers, reader, writer):
        host, _, port = (address if method == "CONNECT" else address.split("/")[2]).partition(":")
        there, back = await asyncio.open_connection(host, int(port))
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = "/" + address.split("/", 3)[3]
            back.write((f"{method} {path} HTTP/1.1\r\nConnection: close\r\n" + "".join(
                f"{name}: {value}\r\n" for name, value in headers.items() if name != "Connection") + "\r\n").encode())

        async def copy(source, sink):
            with contextlib.suppress(ConnectionError):
                while data := await source.read(1 << 16):
                    sink.write(data)
                    await sink.drain()
            sink.close()

        try:
            await asyncio.gather(copy(reader, back), copy(there, writer))
        finally:
            back.transport.abort()


@pytest.fixture
def said(caplog):
    """Everything that is logged, by whomever, at any level."""
    caplog.set_level(1)
    for name in ("picows", "picows.line.0", "feeds", "aiohttp", "asyncio"):
        caplog.set_level(1, name)
    return caplog


def assert_secret(text):
    assert "s3cret" not in text
    assert base64.b64encode(b"me:s3cret/word").decode() not in text


@pytest.mark.parametrize("tls", [False, True])
@looped
async def test_everything_goes_by_the_proxy(tls, tmp_path, said):
    """A venue with snapshots by REST, so that both are used."""
    context, trusted = None, None
    if tls:
        certificate, key = make_certificate(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        trusted = ssl.create_default_context(cafile=certificate)
    async with Proxy("me", "s3cret/word") as proxy, Serving(VENUE, [SYMBOL], ssl_context=context) as exchange:
        async with feeds.connect(VENUE, SYMBOL, url=exchange.url, ssl=trusted,
                                 proxy=f"http://me:{SECRET}@{proxy.place}") as feed:
            await feed.wait_live(10)
            before = feed.book(SYMBOL).sequence
            await until(lambda: feed.book(SYMBOL).sequence > before)
        venue = exchange.url.partition("//")[2]
        assert f"CONNECT {venue} HTTP/1.1" in proxy.asked
        if tls:
            assert set(proxy.asked) == {f"CONNECT {venue} HTTP/1.1"}
        else:
            assert any(line.startswith(f"GET http://{venue}/") for line in proxy.asked)
        assert len(proxy.asked) >= 2
    assert_secret(said.text)


@pytest.mark.parametrize("what, words", [("refused", "status 407"), ("gone", "Connect"), ("mute", "no answer within")])
@looped
async def test_a_proxy_that_does_not_connect_is_named_and_its_password_is_not(what, words, said):
    async with Proxy("you", "other", what == "mute") as proxy, Serving(VENUE, [SYMBOL]) as exchange:
        address = f"http://me:{SECRET}@{proxy.place}"
        if what == "gone":
            proxy.server.close()
            await proxy.server.wait_closed()
        feed = feeds.connect(VENUE, SYMBOL, url=exchange.url, proxy=address)
        feed.timing = replace(feed.timing, first=1.5, connect=0.5, backoff=0.1)
        with pytest.raises(ConnectionError) as failed:
            await feed.__aenter__()
        assert words in str(failed.value)
        feed.rest.tries, feed.rest.timeout_s = 1, 0.5
        with pytest.raises(RestError) as failed_too:
            await feed.rest.get(f"{feed.rest.moved_to}/api/v2/order_book/btcusd", 1)
        await feed.close()
        for error in (failed.value, failed_too.value):
            while error is not None:
                assert_secret(f"{error} {error!r}")
                error = error.__cause__
        assert_secret(str(feed.stats()))
    assert_secret(said.text)


@pytest.mark.parametrize("proxy", ["ftp://host:1", "host:3128", "http://host", "http://host:3128/path", "http://:1",
                                   "http://me:hidden@host:port", 7, ""])
def test_a_wrong_proxy_is_an_error_that_tells_no_password(proxy):
    with pytest.raises(ValueError, match="proxy must be http://host:port") as error:
        feeds.connect("okx", "BTC-USDT", proxy=proxy)
    assert "hidden" not in str(error.value)


def test_the_environment_counts_only_where_it_is_asked_for(monkeypatch):
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert proxy_for("environment", "wss://venue.example/ws") is None
    monkeypatch.setenv("HTTPS_PROXY", "http://one:1")
    monkeypatch.setenv("HTTP_PROXY", "two:2")
    monkeypatch.setenv("NO_PROXY", "near.example,127.0.0.1")
    assert proxy_for(None, "wss://venue.example/ws") is None
    assert proxy_for("http://me:word@three:3", "wss://near.example/ws") == "http://me:word@three:3"
    assert proxy_for("environment", "wss://venue.example/ws?a=b") == "http://one:1"
    assert proxy_for("environment", "https://venue.example:8443") == "http://one:1"
    assert proxy_for("environment", "ws://venue.example") == "http://two:2"
    assert proxy_for("environment", "wss://near.example/ws") is None
    assert proxy_for("environment", "ws://127.0.0.1:9000") is None
    monkeypatch.setenv("HTTPS_PROXY", "socks5://one:1")
    with pytest.raises(ValueError, match="proxy must be"):
        proxy_for("environment", "wss://venue.example/ws")


@looped
async def test_without_a_proxy_connections_are_direct_whatever_the_environment_says():
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
            patch.setenv(name, "http://127.0.0.1:9")
        async with Serving(VENUE, [SYMBOL]) as exchange, feeds.connect(
                VENUE, SYMBOL, url=exchange.url) as feed:
            await feed.wait_live(10)
            assert feed.book(SYMBOL).status is BookState.LIVE


def test_logging_is_left_as_it_was():
    assert logging.getLogger("picows").level == logging.NOTSET
