"""Coinbase Advanced Trade: frames of the tests' choice, and what the venue's sheet prints."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.venues import Pairs, Row

TIME = "2026-08-24T22:34:13.48312Z"


class Connection:
    """The connection that all symbols of the tests share: the number of its last frame."""

    number = 0


def following(*events: dict) -> list[tuple]:
    """The connection's next frame."""
    Connection.number += 1
    return [("frame", frame(Connection.number, "l2_data", *events))]


def frame(sequence: int, channel: str, *events: dict) -> bytes:
    """A frame as it has looked since 2026-08."""
    message = {"channel": channel, "timestamp": "2026-08-24T22:34:13.793075885Z", "sequence_num": sequence,
               "events": events}
    return json.dumps(message, separators=(",", ":")).encode()


def event(symbol: str, kind: str, bids: Pairs, asks: Pairs) -> dict:
    """Changes of a book, or a whole one."""
    updates = [{"side": side, "event_time": TIME, "price_level": price, "new_quantity": qty}
               for side, levels in (("bid", bids), ("offer", asks)) for price, qty in levels]
    return {"type": kind, "product_id": symbol, "updates": updates}


def row_of(symbol: str) -> Row:
    """The row, with frames of this symbol."""

    def snapshot(sequence: int, bids: Pairs, asks: Pairs) -> list[tuple]:
        return following(event(symbol, "snapshot", bids, asks))

    def delta(last: int, sequence: int, bids: Pairs, asks: Pairs) -> list[tuple]:
        return following(event(symbol, "update", bids, asks))

    return Row(venue="coinbase_advanced", symbol=symbol, snapshot=snapshot, delta=delta)


ROW = replace(
    row_of("BTC-USD"),
    other="ETH-USD",
    named=row_of,
    captures=("coinbase_advanced/l2_band_btcusd_20260824",),
    requests=(
        (("BTC-USD", "ETH-USD"), ("book",), {},
         ('{"type":"subscribe","product_ids":["BTC-USD","ETH-USD"],"channel":"level2"}',)),
        (("BTC-USD",), ("trades",), {}, ('{"type":"subscribe","product_ids":["BTC-USD"],"channel":"market_trades"}',)),
        (("BTC-USD",), ("ticker",), {}, ('{"type":"subscribe","product_ids":["BTC-USD"],"channel":"ticker"}',)),
    ),
    controls={
        '{"channel":"subscriptions","timestamp":"..","sequence_num":1,'
        '"events":[{"subscriptions":{"ticker":["BTC-USD"]}}]}': ("ack", None, ""),
        '{"channel":"heartbeats","timestamp":"..","sequence_num":0,"events":[{"current_time":'
        '"2023-06-23 20:31:56.121961769 +0000 UTC m=+91717.525857105","heartbeat_counter":42}]}': ("other", None, ""),
        '{"type":"error","message":"authentication failure"}': ("error", None, "authorisation"),
    },
    trades={
        '{"channel":"market_trades","timestamp":"2026-08-12T19:27:48.364886251Z","sequence_num":2,"events":[{"type":'
        '"update","trades":[{"product_id":"BTC-USD","trade_id":"1069726293","price":"63310.25","size":"0.00000012",'
        '"time":"2026-08-12T19:27:48.298771Z","side":"BUY"}]}]}': (63310.25, 0.00000012, "sell"),
    },
    quotes={
        '{"channel":"ticker","timestamp":"2026-08-12T19:27:33.489674268Z","sequence_num":0,"events":[{"type":'
        '"snapshot","tickers":[{"type":"ticker","product_id":"BTC-USD","price":"63320.73","volume_24_h":"6629.927726",'
        '"low_24_h":"63235.88","high_24_h":"64416.3","low_52_w":"57717.55","high_52_w":"126296",'
        '"price_percent_chg_24_h":"0.03813791548644","best_bid":"63320.73","best_ask":"63320.74",'
        '"best_bid_quantity":"0.12636254","best_ask_quantity":"0.49679101"}]}]}':
            (63320.73, 0.12636254, 63320.74, 0.49679101),
    },
)
