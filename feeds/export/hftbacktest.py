"""hftbacktest: tables as its event arrays, one for each symbol.

    from feeds.export import collect, hftbacktest
    events = hftbacktest.events(collect("capture.ws.gz"), "BTCUSDT")
    asset = BacktestAsset().data([events])...           # of hftbacktest

The dtype, the flags and the rules of order are those of hftbacktest 2 (https://hftbacktest.readthedocs.io/en/latest/
data.html); it itself is not needed here. Its prices and quantities are doubles: the ones nearest to ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from feeds.export.tables import NO_ROWS, STATES, Rows, Tables, floats

DTYPE = np.dtype([("ev", "u8"), ("exch_ts", "i8"), ("local_ts", "i8"), ("px", "f8"), ("qty", "f8"), ("order_id", "u8"),
                  ("ival", "i8"), ("fval", "f8")], align=True)
DEPTH, TRADE, CLEAR, SNAPSHOT = 1, 2, 3, 4
EXCH, LOCAL, BUY, SELL = 1 << 31, 1 << 30, 1 << 29, 1 << 28


def events(tables: Tables, symbol: str, *, base_latency_ns: int = 0) -> NDArray[Any]:
    """The events of a symbol, in the order of both clocks.

    A whole book is a clearing and its levels. A book that is not LIVE any more is cleared, so that nothing is traded
    against it until its next snapshot. Within a message levels are removed before others are set: the book is never
    crossed in between. Where the venue tells no time of a book's message, it is that of the one before. Where our clock
    was behind the venue's, all local times are later by the same, the least that makes them possible, and
    `base_latency_ns` on top, as hftbacktest's own converters do it.
    Raises: ValueError with near names for an unknown symbol; MemoryError: an array holds all of the symbol's events.
    """
    parts = [_book_events(tables, symbol), _trade_events(tables, symbol)]
    of = np.concatenate([events for events, _ in parts])
    of = of[np.argsort(np.concatenate([places for _, places in parts]), kind="stable")]
    if len(of):
        behind = int((of["local_ts"] - of["exch_ts"]).min())
        if behind < 0:
            of["local_ts"] += base_latency_ns - behind
    return in_order(of)


def in_order(of: NDArray[Any]) -> NDArray[Any]:
    """Events in the order of the venue's clock and of ours at once.

    `of` is in the order of ours. An event that stands at another place in the other order becomes two, one for each
    side: just what `correct_event_order` of hftbacktest makes.
    """
    rank = np.empty(len(of), np.int64)
    rank[np.argsort(of["exch_ts"], kind="stable")] = np.arange(len(of))
    highest = np.maximum.accumulate(rank)
    apart = np.flatnonzero(rank != highest)         # what came before by our clock is behind it by the venue's
    late = of[apart]
    of["ev"] |= EXCH
    of["ev"][rank == highest] |= LOCAL
    late["ev"] |= LOCAL
    places = np.concatenate([2 * rank, 2 * highest[apart] + 1])
    return np.concatenate([of, late])[np.argsort(places, kind="stable")]


def _rows(tables: Tables, name: str, symbol: str) -> Rows:
    return tables.of(name, symbol) if name in tables else NO_ROWS[name]


def _made(ev: NDArray[Any] | int, rows: Rows, exchange_ns: NDArray[Any]) -> NDArray[Any]:
    made = np.zeros(len(rows), DTYPE)
    made["ev"], made["exch_ts"], made["local_ts"] = ev, exchange_ns, rows["receive_ns"]
    return made


def _book_events(tables: Tables, symbol: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Events of the book, and the place of each among those of other tables."""
    book, states = _rows(tables, "book", symbol), _rows(tables, "states", symbol)
    lost = states[states["old"] == STATES.index("LIVE")]
    first = book[book["is_snapshot"] & (np.diff(book["message"], prepend=-1) != 0)]     # of every whole book
    levels = book[~(book["is_snapshot"] & (book["qty"] == 0))]
    made = _made(np.where(levels["is_snapshot"], SNAPSHOT, DEPTH) | np.where(levels["side"], SELL, BUY), levels,
                 levels["exchange_ns"])
    made["px"] = floats(levels["price"], levels["price_scale"])
    made["qty"] = floats(levels["qty"], levels["qty_scale"])
    of = np.concatenate([_made(CLEAR, lost, lost["exchange_ns"]), _made(CLEAR, first, first["exchange_ns"]), made])
    step = 1 + (levels["qty"] > 0)                  # removals before the others
    places = np.concatenate([4 * lost["message"], 4 * first["message"], 4 * levels["message"] + step])
    order = np.argsort(places, kind="stable")
    of, places = of[order], places[order]
    told = of["exch_ts"] != 0
    if not told.any():
        of["exch_ts"] = of["local_ts"]
    else:                                           # its changes happened in their order, whatever their times say
        of["exch_ts"][:told.argmax()] = of["exch_ts"][told.argmax()]
        of["exch_ts"] = np.maximum.accumulate(of["exch_ts"])
    return of, places


def _trade_events(tables: Tables, symbol: str) -> tuple[NDArray[Any], NDArray[Any]]:
    trades = _rows(tables, "trades", symbol)
    side = np.where(trades["side"] > 0, BUY, np.where(trades["side"] < 0, SELL, 0))
    made = _made(TRADE | side, trades, np.where(trades["exchange_ns"], trades["exchange_ns"], trades["receive_ns"]))
    made["px"] = floats(trades["price"], trades["price_scale"])
    made["qty"] = floats(trades["qty"], trades["qty_scale"])
    return made, 4 * trades["message"]
