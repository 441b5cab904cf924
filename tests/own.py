"""A venue of the tests' own: frames are objects whose keys mean what a test says, so that the core is tested alone."""

from __future__ import annotations

import json
from typing import Any

from feeds.venue import Answer, Limits, Link, VenueSpec
from tests._probe import KeyParser, Levelform

FIELDS = [("kind", "TEXT", "SPARE"), ("s", "SYMBOL", "SPARE"), ("f", "INT", "FIRST_SEQ"), ("u", "INT", "LAST_SEQ"),
          ("v", "INT", "PREV_SEQ"), ("b", "LEVELS", "BIDS"), ("a", "LEVELS", "ASKS"), ("c", "INT", "CHECKSUM"),
          ("bp", "PRICE", "BID_PRICE"), ("bq", "QTY", "BID_QTY"), ("ap", "PRICE", "ASK_PRICE"),
          ("aq", "QTY", "ASK_QTY"), ("same", "INT", "PARTIAL"), ("p", "PRICE", "PRICE"), ("q", "QTY", "QTY"),
          ("id", "INT", "TRADE_ID"), ("n", "INT", "LINE_SEQ")]


def frame(kind: str, symbol: str = "X", **more) -> bytes:
    """A frame with these keys; levels are lists of (price, qty)."""
    return json.dumps({"kind": kind, "s": symbol} | more, separators=(",", ":")).encode()


def book_frame(kind: str, number: int, bids=(), asks=(), symbol: str = "X", **more) -> bytes:
    return frame(kind, symbol, u=number, b=list(bids), a=list(asks), **more)


def own_spec(*, fields, form=("price", "qty"), words=None, link=Link.NONE, markets=(), parser=None,
             **more) -> VenueSpec:
    """The SPEC of a venue whose frames hold these keys.

    Parameters: fields -- (key, name of _probe.TAKES, name of _probe.SLOTS). form, words -- how a level is written.
    parser -- options of KeyParser. more -- of VenueSpec.
    """
    def make(market: str) -> KeyParser:
        index = markets.index(market) if market else 0
        return KeyParser(fields, Levelform(form, words), market=index, **(parser or {}))

    def read_address(url: str) -> Answer | None:
        kind, _, symbol = url.rpartition("/")[2].partition("?")
        return Answer(kind, symbol) if kind in ("snapshot", "instruments") else None

    facts: dict[str, Any] = {
        "name": "own", "roots": {"public": "wss://own.example"}, "channels": {"book": "books", "trades": "trades"},
        "name_streams": None, "subscribe": None, "unsubscribe": None, "read_control": None, "symbol": str,
        "limits": Limits(10, 1.0, 10, 10, 0, 10), "max_frame_size": 1 << 20, "source": "https://own.example",
        "checked": "2026-11-22", "forms": "JSON", "read_address": read_address,
    }
    return VenueSpec(**(facts | {"link": link, "parser": make, "markets": markets} | more))
