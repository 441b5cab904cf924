"""Bitstamp: frames of the tests' choice, and what the venue's sheet prints."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.venues import Pairs, Row


def pack(message: dict) -> bytes:
    """A message as the venue sends it."""
    return json.dumps(message, separators=(",", ":")).encode()


def book(sequence: int, bids: Pairs, asks: Pairs) -> dict:
    """What a snapshot and a difference hold; their microtimestamp is the only number."""
    return {"timestamp": str(sequence // 1_000_000), "microtimestamp": str(sequence),
            "bids": [list(level) for level in bids], "asks": [list(level) for level in asks]}


def address(symbol: str) -> str:
    """Where a snapshot comes from."""
    return f"https://www.bitstamp.net/api/v2/order_book/{symbol}/?group=1"


def row_of(symbol: str) -> Row:
    """The row, with frames of this symbol."""

    def snapshot(sequence: int, bids: Pairs, asks: Pairs) -> list[tuple]:
        return [("rest", address(symbol), pack(book(sequence, bids, asks)))]

    def delta(last: int, sequence: int, bids: Pairs, asks: Pairs) -> list[tuple]:
        return [("frame", pack({"data": book(sequence, bids, asks), "channel": f"diff_order_book_{symbol}",
                                "event": "data"}))]

    return Row(venue="bitstamp", symbol=symbol, snapshot=snapshot, delta=delta, sees_gaps=False)


ROW = replace(
    row_of("btcusd"),
    other="btcusd-perp",
    named=row_of,
    captures=("bitstamp/multi_20220105",),
    silent_refusal=True,                # an unknown market is acknowledged, and says nothing
    unread={
        '{"timestamp": "1654243213"': "an answer by REST: it belongs to the address it came from, not into a stream",
        '{"data":{"id":1496011283275781': "a single order (live_orders): not a channel here",
        '{"data":{"id":2043024': "a single order (live_orders): not a channel here",
    },
    requests=(
        (("btcusd",), ("book",), {}, ('{"event":"bts:subscribe","data":{"channel":"diff_order_book_btcusd"}}',)),
        (("btcusd",), ("book",), {"depth": 100},
         ('{"event":"bts:subscribe","data":{"channel":"order_book_btcusd"}}',)),
        (("btcusd",), ("trades",), {}, ('{"event":"bts:subscribe","data":{"channel":"live_trades_btcusd"}}',)),
        (("btcusd-perp",), ("mark",), {}, ('{"event":"bts:subscribe","data":{"channel":"funding_rate_btcusd-perp"}}',)),
    ),
    controls={
        '{"event":"bts:subscription_succeeded","channel":"diff_order_book_ethusd","data":{}}': ("ack", None, ""),
        '{"event":"bts:unsubscription_succeeded","channel":"diff_order_book_ethusd","data":{}}': ("ack", None, ""),
        '{"event":"bts:error","channel":"","data":{"code":null,"message":"Invalid channel provided."}}':
            ("error", None, "bad_symbol"),
        '{"event":"bts:error","channel":"","data":{"code":null,"message":"Bad subscription string."}}':
            ("error", None, ""),
        '{"event":"bts:error","channel":"","data":{"code":4009,"message":"..."}}': ("error", 4009, ""),
        '{"event":"bts:request_reconnect","channel":"","data":null}': ("shutdown", None, ""),
        '{"event":"bts:heartbeat","channel":"","data":{"status":"success"}}': ("pong", None, ""),
    },
    trades={
        '{"data":{"id":216000477,"timestamp":"1641343699","amount":0.0792,"amount_str":"0.07920000","price":3805.44,'
        '"price_str":"3805.44","type":0,"microtimestamp":"1641343699596000","buy_order_id":1443875737346049,'
        '"sell_order_id":1443875731320832},"channel":"live_trades_ethusd","event":"trade"}': (3805.44, 0.0792, "buy"),
        '{"data":{"id":2001939623936278528,"id_str":"2001939623936278528","type":1,"sell_order_id":2050545352740993,'
        '"buy_order_id":2050545360601216,"amount":0.0016429999999999999,"amount_str":"0.001643","price":77204,'
        '"price_str":"77204","microtimestamp":"1789456400586000","timestamp":"1789456400586"},'
        '"channel":"live_trades_btcusd-perp","event":"trade"}': (77204, 0.001643, "sell"),
        '{"channel": "live_trades_btcusd", "data": {"amount": 1e-08, "amount_str": "1E-8", "id": 158457579, '
        '"microtimestamp": "1616297318187000", "price": 57748.8, "price_str": "57748.80", "timestamp": "1616297318", '
        '"type": 0}, "event": "trade"}': (57748.8, 1e-8, "buy"),
    },
)
