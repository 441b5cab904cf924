"""What is traded: one typed record for an instrument of any venue, and what the readers of the venues' lists share.

All numbers are decimal text, exact; "" is what a list does not say. Nothing here opens a socket or knows a venue.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

KINDS = ("spot", "perpetual", "future", "option", "combo", "index")
STATUSES = ("trading", "pre", "halted", "closed")

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


@dataclass(frozen=True, slots=True)
class Instrument:
    """What a venue's list says of one instrument.

    Quantities (`lot_size`, `min_qty`) are in the unit of the venue's book and trades: base currency or contracts.
    """

    symbol: str             # as the venue writes it in its messages
    tick_size: str          # smallest step of price
    lot_size: str           # smallest step of quantity
    market: str = ""        # one of VenueSpec.markets, where the venue has several
    kind: str = "spot"      # one of KINDS
    base: str = ""          # currency that is bought and sold, by its common code: "BTC", also where the venue says XBT
    quote: str = ""         # currency of the price
    settle: str = ""        # currency that a derivative is settled in
    min_qty: str = ""       # smallest quantity of an order
    min_value: str = ""     # smallest value of an order, in quote currency
    contract_size: str = ""     # what one contract is, in `contract_unit`; "" where the list states none
    contract_unit: str = ""     # currency of that: the base of a linear contract, the quote of an inverse one
    multiplier: str = ""    # by which the venue multiplies the contract's size besides, where it has such a number
    expiry_ns: int = 0      # of a dated one, ns since the Unix epoch
    strike: str = ""        # of an option, in quote currency
    option_type: str = ""   # "call" or "put"
    status: str = "trading"     # one of STATUSES: "pre" before its listing, "closed" for good

    @property
    def inverse(self) -> bool:
        """True if the contract's size is in quote currency, and it is settled in base currency."""
        return bool(self.contract_unit) and self.contract_unit == self.quote != self.base

    @property
    def name(self) -> str:
        """The normalised name, the same at every venue; the venue's own symbol for what it cannot tell.

        BTC-USDT, BTC-USDT-PERP, BTC-27DEC26 and BTC-27DEC26-100000-C (where the quote currency of what is dated is
        USD it is left out), ETH-USDC-27DEC26-4000-P. Names of two instruments of one list may be equal: see `Listing`.
        """
        if self.kind not in ("spot", "perpetual", "future", "option") or not (self.base and self.quote):
            return self.symbol
        pair = f"{self.base}-{self.quote}"
        if self.kind == "spot":
            return pair
        if self.kind == "perpetual":
            return pair + "-PERP"
        if not self.expiry_ns:
            return self.symbol
        dated = f"{self.base if self.quote == 'USD' else pair}-{date_of(self.expiry_ns)}"
        if self.kind == "future":
            return dated
        if not self.strike or self.option_type not in ("call", "put"):
            return self.symbol
        return f"{dated}-{plain_text(self.strike)}-{self.option_type[0].upper()}"


def date_of(ns: int) -> str:
    """The day of a time as names of dated instruments have it: 27DEC26, 5JAN27; UTC."""
    day = datetime.fromtimestamp(ns // 1_000_000_000, UTC)
    return f"{day.day}{_MONTHS[day.month - 1]}{day.year % 100:02d}"


# ---- what the readers of lists share

_NUMBERS = frozenset(("tick_size", "lot_size", "min_qty", "min_value", "contract_size", "multiplier", "strike"))
_TEXTS = tuple(field.name for field in fields(Instrument) if field.name != "expiry_ns")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?").fullmatch


def plain_text(number: object) -> str:
    """A number as plain decimal text without zeros at its end: 0.1 for 0.100000000000000000, 0.0006 for 6.0e-4."""
    return f"{Decimal(str(number)).normalize():f}"


def told(number: object) -> str:
    """`plain_text` of what a list may leave out: "" for None and ""."""
    return "" if number is None or number == "" else plain_text(number)


def step_of(decimals: object) -> str:
    """The smallest step of numbers with so many decimals: 0.01 for 2 or "2"."""
    return f"{Decimal(1).scaleb(-int(str(decimals))):f}"


def expiry_of(time: object) -> int:
    """A time of a list as ns since the Unix epoch: s or ms as a number or its text, or RFC 3339; 0 for None and ""."""
    if time in (None, "", 0, "0"):
        return 0
    text = str(time)
    if text.replace(".", "", 1).isdigit():
        number = Decimal(text)
        return int(number * (1_000_000_000 if number < 100_000_000_000 else 1_000_000))
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()) * 1_000_000_000


def check(it: Instrument) -> None:
    """Raise ValueError that names the field if a record holds what no list should have led to."""
    for name in _TEXTS:
        value = getattr(it, name)
        if not isinstance(value, str) or (name in _NUMBERS and value and not _NUMBER(value)):
            raise ValueError(f"{name} of {it.symbol!r} is {value!r}")
    if not it.symbol or it.kind not in KINDS or it.status not in STATUSES:
        raise ValueError(f"{it.symbol!r} is of kind {it.kind!r} with status {it.status!r}")
    if not isinstance(it.expiry_ns, int) or not 0 <= it.expiry_ns < 1 << 63:
        raise ValueError(f"expiry_ns of {it.symbol!r} is {it.expiry_ns!r}")


def reader(what: str, read: Callable[[Any], Iterable[Instrument]]) -> Callable[[bytes], list[Instrument]]:
    """The `read_instruments` of a venue.

    read -- gives the instruments of the answer, read as JSON whose numbers with a point or an exponent are text.
    what -- what there should have been, for the ValueError.
    """
    def read_instruments(body: bytes) -> list[Instrument]:
        try:
            found = list(read(json.loads(body, parse_float=str)))
            for instrument in found:
                check(instrument)
            return found
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"expected {what} (missing: {error})") from error

    return read_instruments
