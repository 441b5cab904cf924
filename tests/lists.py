"""Recorded lists of instruments, and a REST server on loopback that gives them, or whatever a test wants, away."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from feeds.capture import CaptureReader
from feeds.instruments import Instrument
from feeds.venue import VenueSpec
from feeds.venues import VENUES
from tests.conftest import find_data


@cache
def recorded_answers(venue: str) -> dict[str, bytes]:
    """Address -> body of every answer in the venue's recorded lists; the first, where there are several."""
    found: dict[str, bytes] = {}
    for path in recorded_files(venue):
        for record in CaptureReader(path):
            if record.kind == "h":
                url, _, body = record.payload.partition(b" ")
                found.setdefault(url.decode(), body)
    return found


def recorded_files(venue: str) -> list[Path]:
    """The captures of a venue that hold its lists."""
    return sorted((find_data() / venue).glob("instruments*.ws.gz"))


RECORDED = [venue for venue in VENUES if recorded_files(venue)]


def recorded_instruments(spec: VenueSpec) -> list[Instrument]:
    """All instruments of the recorded lists of a venue that are lists of instruments, with the market of their address
    where the list itself does not tell it."""
    found = []
    for url, body in recorded_answers(spec.name).items():
        answer = spec.read_address(url)
        if answer is not None and answer.kind == "instruments":
            found += [it if it.market else replace(it, market=answer.market) for it in spec.read_instruments(body)]
    return found


class ListServer:
    """Answers REST requests: `answers` is path (with or without query) -> body, status or (status, headers, body)."""

    def __init__(self) -> None:
        self.answers: dict[str, object] = {}
        self.asked: list[str] = []          # paths with queries; of a POST also its body, after a #
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        path = request.path_qs
        if request.method == "POST":
            path += f"#{(await request.read()).decode()}"
        self.asked.append(path)
        found = self.answers.get(path, self.answers.get(urlsplit(path).path, 404))
        if callable(found):
            found = await found(request)
        status, headers, body = (found, {}, b"") if isinstance(found, int) else (
            found if isinstance(found, tuple) else (200, {}, found))
        return web.Response(status=status, headers=headers, body=body)


@asynccontextmanager
async def list_server(answers: dict[str, object] | None = None):
    """A `ListServer` that listens."""
    server = ListServer()
    server.answers.update(answers or {})
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
        yield server
    finally:
        await runner.cleanup()
