"""What a feed's symbols are called: names become the venue's symbols, and its lists are followed while it runs."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence

from feeds.directory import DAY_S, Directory, ListError
from feeds.instruments import Instrument
from feeds.listing import FRONT, InstrumentChange, Listing, UnknownInstrument, changes, form_of, needs_list
from feeds.rest import Rest

log = logging.getLogger(__name__)

WITHIN_S = 10.0         # a list that is not there by then is done without
FRONT_AGE_S = 300.0     # a list on disk that is older may not know the future that expires first
FRESH_S = 10.0          # a list that is no older was not on disk
AFTER_S = 1.0           # after a future has expired, its successor is looked for


class Names:
    """The names of one feed.

    Parameters: rest -- what asks for lists. market -- the feed's; None: the default, unless names say another.
    """

    def __init__(self, rest: Rest, market: str | None) -> None:
        self.spec = rest.spec
        self.listing: Listing | None = None         # the newest
        self.fresh = False                          # it was the venue's when this feed took it, not one from disk
        self.market = self.spec.check_market(market)
        self.fronts: dict[str, Instrument] = {}     # BTC-USD-FRONT -> the future that it is now
        self._directory = Directory(rest)
        self._rest = rest
        self._told = market is not None or not self.spec.markets

    async def resolve(self, texts: Sequence[str]) -> list[str]:
        """The venue's symbols of these texts. The list is asked for only where a text needs it.

        Where it cannot be had, they are taken as symbols, with a warning.
        Raises: UnknownInstrument with near names, or with the markets that share a name; ListError if the front future
        is asked for and there is no list.
        """
        needy = [text for text in texts if needs_list(self.spec, text)]
        if not needy:
            return list(texts)
        wants_front = any(form_of(text) == "front" for text in needy)
        listing = await self._had(needy, FRONT_AGE_S if wants_front else DAY_S)
        if listing is None:
            return list(texts)
        found = {text: self._find(listing, text) for text in needy}
        self._settle_market([text for text in texts if text not in found], found)
        self._told = True
        for text, instrument in found.items():
            if instrument.status == "closed":
                log.warning("%s: %s is closed for good", self.spec.name, instrument.symbol)
            if form_of(text) == "front":
                self.fronts[text.upper()] = instrument
        return [self.spec.symbol(found[text].symbol) if text in found else text for text in texts]

    def take(self, listing: Listing) -> None:
        """Use this listing from now on."""
        self.listing = listing
        self.fresh = listing.age_s < FRESH_S

    def symbol_of(self, text: str) -> str:
        """The symbol that a text means, as far as is known without asking; else the venue's spelling of the text."""
        front = self.fronts.get(text.upper())
        if front is not None:
            return self.spec.symbol(front.symbol)
        found = self.instrument(text)
        return self.spec.symbol(text if found is None else found.symbol)

    def instrument(self, text: str) -> Instrument | None:
        """What the newest list says of a symbol or name, None if nothing."""
        if self.listing is None:
            return None
        try:
            return self.listing.find(text, self.market)
        except UnknownInstrument:
            return None

    async def refresh(self) -> list[InstrumentChange]:
        """Ask for the list; what has changed since the last one. Raises: ListError if there is none."""
        new = await self._directory.listing(self.market, max_age_s=0, within_s=WITHIN_S)
        for failure in new.failures:
            log.warning("not the whole list of instruments: %s", failure)
        old = self.listing if self.fresh else None      # how an older one differs is no news
        if new.failures and old is not None:            # the next whole list tells what has changed since the old one
            return []
        self.take(new)
        return [] if old is None else [it for it in changes(old, new) if it.instrument.market == self.market]

    def rolls(self) -> list[tuple[str, Instrument, Instrument]]:
        """(BTC-USD-FRONT, the future that it was, the one that it is) for every one that has another now."""
        found = []
        for text, old in self.fronts.items():
            if self.listing is None:
                break
            try:
                new = self.listing.front(text[:-len(FRONT)], self.market)
            except UnknownInstrument as error:
                log.warning("%s stays at %s: %s", text, old.symbol, error)
                continue
            if new.symbol != old.symbol:
                found.append((text, old, new))
        return found

    def next_expiry_s(self) -> float:
        """Seconds until the first of the front futures expires, infinity without one."""
        now = time.time_ns()
        return min((max(0.0, (front.expiry_ns - now) / 1e9 + AFTER_S) for front in self.fronts.values()
                    if front.expiry_ns), default=float("inf"))

    async def _had(self, needy: Sequence[str], max_age_s: float) -> Listing | None:
        """A list that has all these names if there is one; None if there is no list at all."""
        market = self.market if self._told else None
        if self.listing is not None and self._has(self.listing, needy):
            return self.listing
        try:
            listing = await self._directory.listing(market, max_age_s=max_age_s, within_s=WITHIN_S)
            if not self._has(listing, needy) and listing.age_s > 1.0:     # listed since that was kept?
                listing = await self._directory.listing(market, max_age_s=0, within_s=WITHIN_S)
        except ListError as error:
            if any(form_of(text) == "front" for text in needy):
                raise
            log.warning("%s: %s taken as the venue's symbol, as there is no list of instruments: %s", self.spec.name,
                        ", ".join(needy), error)
            return None
        for failure in listing.failures:
            log.warning("not the whole list of instruments: %s", failure)
        self.take(listing)
        return listing

    def _has(self, listing: Listing, texts: Iterable[str]) -> bool:
        try:
            for text in texts:
                self._find(listing, text)
        except UnknownInstrument:
            return False
        return True

    def _find(self, listing: Listing, text: str) -> Instrument:
        return listing.find(text, self.market if self._told else None)

    def _settle_market(self, plain: Sequence[str], found: dict[str, Instrument]) -> None:
        """Take the market of the names, where none was told."""
        if self._told:
            return
        markets = list(dict.fromkeys(instrument.market for instrument in found.values()))
        names = ", ".join(f"{text} ({instrument.market})" for text, instrument in found.items())
        if len(markets) > 1:
            raise UnknownInstrument(f"{self.spec.name}: a feed has one market, and these are of several: {names}")
        if plain and markets[0] != self.market:
            raise UnknownInstrument(f"{self.spec.name}: {', '.join(plain)} would be of {self.market}, the market that "
                                    f"is meant without another, but {names}; say which market is meant")
        self.market = markets[0]
