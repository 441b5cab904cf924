"""The instruments of one venue, by symbol and by name, and what has changed between two of its lists.

A normalised name (`Instrument.name`) is the same at every venue: BTC-USDT, BTC-USDT-PERP, BTC-27DEC26,
BTC-27DEC26-100000-C. Nothing here opens a socket or knows a venue.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cached_property

from feeds.instruments import Instrument
from feeds.venue import VenueSpec

NEAR = 5                # names that an error suggests
FRONT = "-FRONT"        # BTC-USD-FRONT is the future of that pair which expires first

_DATE = r"\d{1,2}(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)\d\d"
_PART = r"[^-:/\s]+"
_SHAPE = re.compile(rf"(?P<base>{_PART})(?P<pair>-(?!{_DATE}(?:-|$)){_PART}(?::{_PART})?)?"
                    rf"(?:-(?P<tail>PERP|FRONT|{_DATE}(?:-[\d.]+-[CP])?))?", re.I)
_NO_QUOTES = frozenset(("PERP", "PERPETUAL", "SWAP", "FRONT"))      # BTC-PERPETUAL is no pair


class UnknownInstrument(ValueError):
    """A name or symbol that the venue's list does not have, or that fits several; the message suggests others."""


@dataclass(frozen=True, slots=True)
class InstrumentChange:
    """What two lists of a venue, one after the other, say differently of one instrument.

    kind -- "listed": it is new (perhaps with status "pre"). "delisted": it is gone, or closed for good. "halted": its
    trading has stopped. "resumed": it trades, again or for the first time. "tick_changed": its price tick or its lot
    is another. "rolled": a subscription to the front future went on from `old` to `new`.
    """

    kind: str
    old: Instrument | None
    new: Instrument | None

    @property
    def instrument(self) -> Instrument:
        """The newer of the two."""
        found = self.new or self.old
        assert found is not None
        return found


def form_of(text: str) -> str:
    """Which form of a normalised name a text has: "pair", "perpetual", "dated", "front"; "" if it has none."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        return ""
    pair, tail = (found["pair"] or "")[1:].upper(), (found["tail"] or "").upper()
    quote = pair.partition(":")[0]
    if quote in _NO_QUOTES or quote.isdigit():
        return ""
    if tail in ("PERP", "FRONT"):
        return {"PERP": "perpetual", "FRONT": "front"}[tail] if pair else ""
    return "dated" if tail else "pair" if pair else ""


def needs_list(spec: VenueSpec, text: str) -> bool:
    """Whether only the venue's list can tell which symbol is meant: a name by its form, and no symbol of the venue."""
    form = form_of(text)
    return bool(form) and form not in spec.own_names


class Listing:
    """The instruments of a venue, of one market of it or of all.

    Parameters: spec -- the venue. instruments -- what its lists say; of several records of one symbol of one market
    the later ones add to the earlier ones. fetched_ns -- when the lists were had, ns since the Unix epoch. failures --
    what could not be had, in words.
    """

    def __init__(self, spec: VenueSpec, instruments: Iterable[Instrument], fetched_ns: int = 0,
                 failures: Sequence[str] = ()) -> None:
        self.spec = spec
        self.fetched_ns = fetched_ns
        self.failures = tuple(failures)
        held: dict[tuple[str, str], Instrument] = {}
        for instrument in instruments:
            key = (instrument.market, instrument.symbol)
            held[key] = _merged(held[key], instrument) if key in held else instrument
        self._held = held
        self._symbols: dict[str, list[Instrument]] = {}
        for instrument in held.values():
            for symbol in {instrument.symbol, spec.symbol(instrument.symbol)}:      # old lists may spell otherwise
                self._symbols.setdefault(symbol, []).append(instrument)
        self._name_of = _unique_names(held.values())
        self._names: dict[str, list[Instrument]] = {}
        for key, name in self._name_of.items():
            self._names.setdefault(name.upper(), []).append(held[key])

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Instrument]:
        return iter(self._held.values())

    def __repr__(self) -> str:
        return f"<Listing of {self.spec.name}: {len(self)} instruments>"

    @property
    def age_s(self) -> float:
        """Seconds since the lists were had."""
        return max(0.0, (time.time_ns() - self.fetched_ns) / 1e9)

    @property
    def markets(self) -> list[str]:
        """The markets it has instruments of."""
        return list(dict.fromkeys(instrument.market for instrument in self))

    def get(self, symbol: str, market: str | None = None) -> Instrument | None:
        """The instrument that the venue writes so, None if there is none. Raises: UnknownInstrument if two markets
        have it and none is told."""
        return self._one(symbol, self._symbols.get(symbol, ()), market)

    def name(self, instrument: Instrument) -> str:
        """The normalised name by which `find` gives this instrument again: `Instrument.name`, unless another one of the
        market has the same; then with its settlement currency, BTC-USD:BTC-PERP, or the venue's symbol."""
        return self._name_of[instrument.market, instrument.symbol]

    def find(self, text: str, market: str | None = None) -> Instrument:
        """The instrument that is meant: by a normalised name, the venue's symbol in any spelling, or BTC-USD-FRONT.

        In one market no name is another one's symbol; over several, BTC-USDT is the pair before any contract called so.
        Parameters: market -- the one to look in; None: all of them.
        Raises: UnknownInstrument with the nearest names, or with the markets if several have it.
        """
        asked = text.upper()
        if asked.endswith(FRONT) and text not in self._symbols:
            return self.front(text[:-len(FRONT)], market)
        looks: tuple[Callable[[], Iterable[Instrument]], ...] = (
            lambda: self._names.get(asked, ()), lambda: self._symbols.get(text, ()),
            lambda: self._symbols.get(self.spec.symbol(text), ()), lambda: self._aliases.get(asked, ()),
            lambda: self._folded.get(asked, ()))
        for look in looks:
            found = self._one(text, look(), market)
            if found is not None:
                return found
        raise UnknownInstrument(self._unknown(text, market))

    def front(self, pair: str, market: str | None = None, now_ns: int | None = None) -> Instrument:
        """The trading future of a pair, BTC-USD or BTC-USD:BTC, that expires first.

        Raises: UnknownInstrument if none is trading, or two that expire together are settled in different currencies.
        """
        now_ns = time.time_ns() if now_ns is None else now_ns
        plain, _, settle = pair.upper().partition(":")
        futures = [it for it in self if it.kind == "future" and f"{it.base}-{it.quote}".upper() == plain
                   and it.status == "trading" and it.expiry_ns > now_ns and market in (None, it.market)
                   and settle in ("", it.settle.upper())]
        if not futures:
            pairs = sorted({f"{it.base}-{it.quote}" for it in self if it.kind == "future" and it.status == "trading"})
            near = get_close_matches(plain, pairs, NEAR, 0.4) or pairs[:NEAR]
            raise UnknownInstrument(f"{self._who(market)} has no trading future of {pair}"
                                    + (f"; there are futures of {', '.join(near)}" if near else ""))
        first = min(it.expiry_ns for it in futures)
        futures = [it for it in futures if it.expiry_ns == first]
        if len(futures) > 1:
            choices = [f"{plain}:{it.settle}{FRONT}" + (f" (market {it.market})" if it.market else "")
                       for it in futures]
            raise UnknownInstrument(f"{self._who(market)} has several futures of {pair} that expire first: "
                                    f"{', '.join(it.symbol for it in futures)}; say {' or '.join(choices)}")
        return futures[0]

    def matching(self, text: str) -> list[Instrument]:
        """The instruments whose symbol or name fits: a pattern with * and ?, else a part of it; case does not matter.

        "" and "all" give all of them.
        """
        pattern = text.upper()
        if pattern in ("", "ALL"):
            return list(self)
        if not any(sign in pattern for sign in "*?["):
            pattern = f"*{pattern}*"
        return [it for it in self if fnmatchcase(it.symbol.upper(), pattern)
                or fnmatchcase(self.name(it).upper(), pattern)]

    # ---- how things are found

    @cached_property
    def _aliases(self) -> dict[str, list[Instrument]]:
        """Other names that are understood: with the settlement currency, with a quote currency of USD, 05JAN27."""
        found: dict[str, list[Instrument]] = {}
        for it in self:
            for alias in _aliases_of(it):
                found.setdefault(alias.upper(), []).append(it)
        return found

    @cached_property
    def _folded(self) -> dict[str, list[Instrument]]:
        found: dict[str, list[Instrument]] = {}
        for it in self:
            found.setdefault(it.symbol.upper(), []).append(it)
        return found

    def _one(self, text: str, found: Iterable[Instrument], market: str | None) -> Instrument | None:
        fits = [it for it in found if market in (None, it.market)]
        open_ones = [it for it in fits if it.status != "closed"]
        if len(fits) > 1 and len(open_ones) == 1:
            fits = open_ones
        if len(fits) <= 1:
            return fits[0] if fits else None
        markets = list(dict.fromkeys(it.market for it in fits))
        if len(markets) > 1:
            which = ", ".join(f"{it.market} ({it.symbol})" for it in fits)
            raise UnknownInstrument(f"{self.spec.name}: the markets {which} all have {text}; say which market is meant")
        raise UnknownInstrument(f"{self.spec.name}: {text} could be "
                                f"{' or '.join(f'{self.name(it)} ({it.symbol})' for it in fits)}")

    def _who(self, market: str | None) -> str:
        return f"{self.spec.name} {market}" if market else self.spec.name

    def _unknown(self, text: str, market: str | None) -> str:
        asked = text.upper()
        spelled: dict[str, str] = {}
        for it in self:
            if market in (None, it.market) and it.status != "closed":
                spelled.setdefault(self.name(it).upper(), self.name(it))
                spelled.setdefault(it.symbol.upper(), it.symbol)
        near = get_close_matches(asked, spelled, NEAR, 0.7)
        near += [name for name in spelled if asked[:1] and name.startswith(asked) and name not in near][:NEAR]
        words = f"{self._who(market)} has no instrument {text}"
        if near:
            words += f"; near: {', '.join(spelled[name] for name in near[:NEAR])}"
        elsewhere = [it.market for it in self._names.get(asked, self._symbols.get(text, ())) if it.market != market]
        if elsewhere:
            words += f"; it is in the market {', '.join(elsewhere)}"
        if self.failures:
            words += f" (not all lists could be read: {'; '.join(self.failures)})"
        return words


def changes(old: Listing, new: Listing) -> list[InstrumentChange]:
    """What the newer of two listings says differently. What may be missing because a list failed is not told of."""
    found = []
    for it in new:
        was = old._held.get((it.market, it.symbol))
        if was is None or (was.status == "closed" != it.status):
            if it.status != "closed" and not (was is None and old.failures):
                found.append(InstrumentChange("listed", was, it))
            continue
        if was.status != it.status:
            kind = {"closed": "delisted", "trading": "resumed", "halted": "halted"}.get(it.status)
            if kind is not None:
                found.append(InstrumentChange(kind, was, it))
        if (was.tick_size, was.lot_size) != (it.tick_size, it.lot_size):
            found.append(InstrumentChange("tick_changed", was, it))
    if not new.failures:
        found += [InstrumentChange("delisted", was, None) for was in old
                  if was.status != "closed" and (was.market, was.symbol) not in new._held]
    return found


# ---- names

_DEFAULTS = {field.name: field.default for field in fields(Instrument)}


def _merged(old: Instrument, new: Instrument) -> Instrument:
    """Two records of one instrument: what the newer one states, and what only the older one does."""
    return replace(old, **{name: value for name in Instrument.__slots__
                           if (value := getattr(new, name)) not in (_DEFAULTS[name], "", 0)})


def _settled(it: Instrument) -> str:
    """The name with the settlement currency, BTC-USD:BTC-PERP; "" if there is none of that kind."""
    plain = it.name
    if not it.settle or it.kind not in ("perpetual", "future", "option") or plain == it.symbol:
        return ""
    pair = f"{it.base}-{it.quote}"
    short = it.base if it.kind != "perpetual" and it.quote == "USD" else pair
    return f"{pair}:{it.settle}{plain.removeprefix(short)}"


def _aliases_of(it: Instrument) -> set[str]:
    plain = it.name
    if plain == it.symbol and form_of(plain) == "":
        return set()
    found = {plain, _settled(it)} - {""}
    if it.kind in ("future", "option") and it.quote == "USD" and plain.startswith(f"{it.base}-"):
        found.add(f"{it.base}-USD{plain.removeprefix(it.base)}")
    return found | {re.sub(r"-(\d[A-Z]{3}\d\d)(?=-|$)", r"-0\1", name) for name in found}


def _unique_names(instruments: Iterable[Instrument]) -> dict[tuple[str, str], str]:
    """(market, symbol) -> name, no two of one market alike, and none like the symbol of another."""
    markets: dict[str, list[Instrument]] = {}
    for it in instruments:
        markets.setdefault(it.market, []).append(it)
    names: dict[tuple[str, str], str] = {}
    for market, held in markets.items():
        symbols = {it.symbol.upper(): it.symbol for it in held}
        left = held
        for spell in (lambda it: it.name, _settled):
            users: dict[str, list[Instrument]] = {}
            for it in left:
                users.setdefault(spell(it).upper(), []).append(it)
            left = []
            for name, same in users.items():
                alive = [it for it in same if it.status != "closed"] if len(same) > 1 else same
                chosen = alive[0] if len(alive) == 1 else None
                if chosen is not None and name and symbols.get(name, chosen.symbol) == chosen.symbol:
                    names[market, chosen.symbol] = spell(chosen)
                else:
                    chosen = None
                left += [it for it in same if it is not chosen]
        names.update({(market, it.symbol): it.symbol for it in left})
    return names
