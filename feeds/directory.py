"""The venues' lists of instruments: asked for by REST, kept on disk.

What is kept on disk saves requests and is never needed: it can be deleted at any time, and what is broken is ignored
and written anew. It lies in $WIREBOOK_CACHE, else $XDG_CACHE_HOME/wirebook, else ~/.cache/wirebook; WIREBOOK_CACHE=""
keeps nothing. Lists of another server than the venue's own (`rest_url`) are not kept.
"""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from feeds.instruments import Instrument
from feeds.listing import Listing, UnknownInstrument, needs_list
from feeds.plan import check_url, moved
from feeds.rest import Rest, RestError
from feeds.venue import VenueSpec
from feeds.venues import load

if TYPE_CHECKING:
    import ssl as tls

log = logging.getLogger(__name__)

DAY_S = 86_400.0
AT_ONCE = 8             # requests at a time
MOST_PAGES = 2_000      # of one list; a venue that names more goes in a circle
VERSION = 1             # of the files on disk

_DEFAULTS = {field.name: field.default for field in fields(Instrument)}


class ListError(ValueError):
    """A venue's list of instruments that cannot be had or read; the message names the venue, the address, and what
    was expected."""


@dataclass(slots=True)
class _Kept:
    """A file of the cache."""

    version: int
    venue: str
    market: str
    fetched_ns: int
    instruments: list[Instrument]


class Cache:
    """Lists on disk, one file for each venue and market.

    Parameters: folder -- where; None is nowhere.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def path(self, venue: str, market: str) -> Path | None:
        """The file of one list; None where nothing is kept."""
        return self.folder and self.folder / "instruments" / f"{venue}{f'-{market}' if market else ''}.json"

    def read(self, venue: str, market: str, max_age_s: float) -> _Kept | None:
        """What is kept, if it is no older than that and can be read."""
        import msgspec

        path = self.path(venue, market)
        if path is None:
            return None
        try:
            kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            log.info("%s is ignored: %s", path, error)
            return None
        age_s = (time.time_ns() - kept.fetched_ns) / 1e9
        if (kept.version, kept.venue, kept.market) != (VERSION, venue, market) or not -60.0 <= age_s <= max_age_s:
            return None
        return kept

    def write(self, venue: str, market: str, fetched_ns: int, instruments: Iterable[Instrument]) -> None:
        """Keep a list: the file is whole, or as it was. Where it cannot be written that is logged and no harm."""
        import msgspec

        path = self.path(venue, market)
        if path is None:
            return
        rows = [{name: value for name in Instrument.__slots__
                 if (value := getattr(instrument, name)) != _DEFAULTS[name]} for instrument in instruments]
        body = msgspec.json.encode({"version": VERSION, "venue": venue, "market": market, "fetched_ns": fetched_ns,
                                    "instruments": rows})
        written = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
                written = file.name
                file.write(body)
            os.replace(written, path)
        except OSError as error:
            log.info("%s was not written: %s", path, error)
            if written is not None:
                with suppress(OSError):
                    os.unlink(written)


def default_cache() -> Cache:
    """The cache of this user."""
    own = os.environ.get("WIREBOOK_CACHE")
    if own is not None:
        return Cache(Path(own).expanduser() if own else None)
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return Cache((Path(base) if base else Path.home() / ".cache") / "wirebook")
    except RuntimeError:        # there is no home
        return Cache(None)


class Directory:
    """The lists of one venue.

    Parameters: rest -- what asks; its `moved_to` decides whether anything is kept on disk. cache -- None: the user's.
    """

    def __init__(self, rest: Rest, cache: Cache | None = None) -> None:
        self.rest = rest
        self.spec = rest.spec
        self.cache = (cache or default_cache()) if rest.moved_to is None else Cache(None)

    async def listing(self, market: str | None = None, *, max_age_s: float = DAY_S,
                      within_s: float | None = None) -> Listing:
        """The instruments of a market, None: of all of them. What could not be had is in `Listing.failures`.

        Parameters: max_age_s -- how old a list may be that is kept on disk; 0 asks the venue. within_s -- what is not
        there by then counts as failed.
        Raises: ListError if there is nothing at all.
        """
        spec = self.spec
        lists = [name for name in spec.instruments_addresses if market in (None, name) or name not in spec.markets]
        if not lists:
            raise ListError(f"{spec.name}{f' {market}' if market else ''} has no list of instruments")
        limit = asyncio.Semaphore(AT_ONCE)
        parts = await asyncio.gather(*(self._part(name, max_age_s, within_s, limit) for name in lists))
        failures = [failure for part in parts for failure in part.failures]
        found = [instrument for part in parts for instrument in part.instruments]
        if market is not None:
            found = [instrument for instrument in found if instrument.market in ("", market)]
        if not found:
            raise ListError("; ".join(failures) or f"{spec.name}: {', '.join(map(self._shown, lists))}: "
                                                   f"expected instruments, found an empty list")
        return Listing(spec, found, min(part.fetched_ns for part in parts), failures)

    def _shown(self, name: str) -> str:
        return ", ".join(moved(address, self.rest.moved_to) for address in self.spec.instruments_addresses[name])

    async def _part(self, name: str, max_age_s: float, within_s: float | None, limit: asyncio.Semaphore) -> _Part:
        kept = self.cache.read(self.spec.name, name, max_age_s) if max_age_s > 0 else None
        if kept is not None:
            return _Part(kept.instruments, kept.fetched_ns, [])
        part = _Part([], time.time_ns(), [])
        try:
            async with asyncio.timeout(within_s):
                await self._ask(name, part, limit)
        except TimeoutError:
            part.failures.append(f"{self.spec.name}: {self._shown(name)}: no whole list within {within_s:g} s")
        if part.instruments and not part.failures:
            self.cache.write(self.spec.name, name, part.fetched_ns, part.instruments)
        return part

    async def _ask(self, name: str, part: _Part, limit: asyncio.Semaphore) -> None:
        """Ask all addresses of a list, and those that the answers name."""
        asked: set[str] = set()
        new = list(self.spec.instruments_addresses[name])
        while new:
            asked.update(new)
            if len(asked) > MOST_PAGES:
                part.failures.append(f"{self.spec.name}: {new[0]}: expected at most {MOST_PAGES} pages of a list")
                return
            more = await asyncio.gather(*(self._page(address, name, part, limit) for address in new))
            new = [address for address in dict.fromkeys(address for found in more for address in found)
                   if address not in asked]

    async def _page(self, address: str, name: str, part: _Part, limit: asyncio.Semaphore) -> Iterable[str]:
        spec, rest = self.spec, self.rest
        place, _, query = address.partition("#")
        url = moved(place, rest.moved_to)
        try:
            async with limit:
                if query:
                    body = await rest.post(url, spec.instruments_weight, query.encode())
                else:
                    body, _ = await rest.get(url, spec.instruments_weight)
        except RestError as error:
            part.failures.append(str(error))
            return ()
        try:
            # Some lists have megabytes; the books of this loop must not wait for them.
            found, more = await asyncio.to_thread(lambda: (spec.read_instruments(body), spec.next_page(address, body)))
        except ValueError as error:
            part.failures.append(f"{spec.name}: {url}: {error}")
            return ()
        part.instruments += [_placed(spec, instrument, name) for instrument in found]
        return more


@dataclass(slots=True)
class _Part:
    """One list, as far as it was had."""

    instruments: list[Instrument]
    fetched_ns: int
    failures: list[str]


def _placed(spec: VenueSpec, instrument: Instrument, name: str) -> Instrument:
    """The instrument with the market that its content tells, else with the one whose list it is in."""
    market = instrument.market if instrument.market in spec.markets else name if name in spec.markets else ""
    return instrument if instrument.market == market else replace(instrument, market=market)


async def fetch_instruments(venue: str, market: str | None = None, *, rest_url: str | None = None,
                            max_age_s: float = DAY_S, ssl: tls.SSLContext | None = None) -> Listing:
    """The instruments of a venue: from disk if what is kept there is no older than that, else by REST.

    Parameters: market -- one of the venue's; None: all of them. rest_url -- another server, asked every time.
    Raises: UnknownVenue, UnsupportedChannel (another market), ValueError; ListError if there is no list. What else
    could not be had is told in `Listing.failures`.
    """
    spec = load(venue)
    if market is not None:
        spec.check_market(market)
    if rest_url is not None:
        check_url("rest_url", rest_url, ("http", "https"))
    rest = Rest(spec, rest_url, ssl)
    try:
        return await Directory(rest).listing(market, max_age_s=max_age_s)
    finally:
        await rest.close()


async def symbols_of(venue: str, texts: Iterable[str], market: str | None = None, *,
                     rest_url: str | None = None) -> list[str]:
    """The venue's symbols of texts that may be names; the list is only looked at where a text needs it, and where it
    cannot be had, the texts are taken as symbols with a warning.

    Raises: UnknownInstrument with near names.
    """
    spec, texts = load(venue), list(texts)
    if not any(needs_list(spec, text) for text in texts):
        return texts
    try:
        listing = await fetch_instruments(venue, market, rest_url=rest_url)
    except ListError as error:
        log.warning("%s is taken as the venue's symbol, as there is no list to look it up in: %s",
                    ", ".join(text for text in texts if needs_list(spec, text)), error)
        return texts
    found = []
    for text in texts:
        if needs_list(spec, text):
            try:
                text = listing.find(text, market).symbol
            except UnknownInstrument:
                if listing.age_s < 1.0 or rest_url is not None:
                    raise
                listing = await fetch_instruments(venue, market, rest_url=rest_url, max_age_s=0)
                text = listing.find(text, market).symbol
        found.append(text)
    return found
