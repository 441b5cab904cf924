"""dYdX: frames of the tests' choice in the form of v4, and what the venue's sheet prints."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.venues import Pairs, Row

CONNECTION = "e2a6c717-6f77-4c1c-ac22-72ce2b7ed77d"


def frame(kind: str, number: int, channel: str, symbol: str, contents: object) -> bytes:
    """A frame with contents, its keys in the order of the venue; no id without a symbol."""
    where = {"id": symbol} if symbol else {}
    data = {**where, "channel": channel, "version": "1.0.0"}
    where = {"channel": channel, **where} if kind == "subscribed" else data
    message = {"type": kind, "connection_id": CONNECTION, "message_id": number, **where, "contents": contents}
    return json.dumps(message, separators=(",", ":")).encode()


def changes(bids: Pairs, asks: Pairs) -> dict[str, list]:
    """Contents of a change: a side without changes is not there."""
    sides = {"bids": [list(level) for level in bids], "asks": [list(level) for level in asks]}
    return {side: levels for side, levels in sides.items() if levels}


def whole(bids: Pairs, asks: Pairs) -> dict[str, list]:
    """Contents of the answer to a subscription: levels are objects there."""
    return {side: [{"price": price, "size": qty} for price, qty in levels]
            for side, levels in (("bids", bids), ("asks", asks))}


def row_of(symbol: str) -> Row:
    """The row, with frames of this symbol. Numbers are those of the connection: two rows cannot share one."""

    def snapshot(sequence: int, bids: Pairs, asks: Pairs) -> list[tuple]:
        return [("frame", frame("subscribed", sequence, "v4_orderbook", symbol, whole(bids, asks)))]

    def delta(last: int, sequence: int, bids: Pairs, asks: Pairs) -> list[tuple]:
        return [("frame", frame("channel_data", sequence, "v4_orderbook", symbol, changes(bids, asks)))]

    return Row(venue="dydx", symbol=symbol, snapshot=snapshot, delta=delta)


ROW = replace(
    row_of("BTC-USD"),
    other="ETH-USD",
    named=row_of,
    sees_gaps=False,        # a number may come late: what is missing shows only after hundreds of messages
    sees_old=False,         # sizes are whole: what comes twice changes nothing
    captures=("dydx/v3_20211028",),
    unread={
        '{"asks":[{"size":"0.595"': "a REST answer of v3; books are not taken from REST: it has no number",
        '{"type":"subscribed","connection_id":"22be6448-1464-45ff-ae7d-1204eac64d0f","message_id":2,"channel":"v3_trades"':
            "the answer to a subscription: an ack; the trades in it happened before",
    },
    not_again={
        '{"type":"subscribed","connection_id":"3a2e4c0c-7579-4bf6-a570-e0979418bbe9","message_id":17':
            "all markets with what they are made of; the simulated answer lists none, their figures follow",
        '{"type":"subscribed","connection_id":"8c11ee31-dbca-49fa-9df0-fc973948b7b5","message_id":3': "the same in v3",
    },
    requests=(
        (("BTC-USD",), ("book", "trades", "mark"), {},
         ('{"type":"subscribe","channel":"v4_orderbook","id":"BTC-USD","batched":false}',
          '{"type":"subscribe","channel":"v4_trades","id":"BTC-USD","batched":false}',
          '{"type":"subscribe","channel":"v4_markets","batched":false}')),
        (("BTC-USD",), ("book",), {"speed": "batched"},
         ('{"type":"subscribe","channel":"v4_orderbook","id":"BTC-USD","batched":true}',)),
    ),
    controls={
        f'{{"type":"connected","connection_id":"{CONNECTION}","message_id":0}}': ("other", None, ""),
        '{"type":"subscribed","connection_id":"…","message_id":1,"channel":"v4_trades","id":"BTC-USD",'
        '"contents":{"trades":[]}}': ("ack", None, ""),
        '{"type":"unsubscribed","connection_id":"…","message_id":77,"channel":"v4_orderbook","id":"BTC-USD"}':
            ("ack", None, ""),
        '{"type":"pong","connection_id":"…","message_id":5,"id":"1"}': ("pong", None, ""),
        '{"type":"error","message":"Invalid subscription id for channel: (v4_orderbook-NOPE-USD)",'
        '"connection_id":"…","message_id":1}': ("error", None, "bad_symbol"),
        '{"type":"error","message":"Too many subscribe attempts for channel v4_trades-BTC-USD. Please  reconnect and '
        'try again.","connection_id":"…","message_id":9}': ("error", None, "rate_limit"),
        '{"type":"error","message":"Internal error, could not fetch data for subscription: v4_orderbook.",'
        '"connection_id":"…","message_id":9}': ("error", None, "maintenance"),
    },
    trades={
        '{"type":"channel_data","connection_id":"…","message_id":5,"id":"BTC-USD","channel":"v4_trades",'
        '"version":"2.1.0","contents":{"trades":[{"id":"0165e6170000000200000002","size":"0.0001","price":"60392",'
        '"side":"BUY","createdAt":"2024-08-23T00:00:57.627Z","type":"LIMIT","createdAtHeight":"23455255"}]}}':
            (60392, 0.0001, "buy"),
        '{"type":"channel_data","connection_id":"60a4fc71-1312-4830-86f4-9eb98be106ac","message_id":375,"id":"ETH-USD",'
        '"channel":"v3_trades","contents":{"trades":[{"size":"0.1","side":"SELL","price":"4215.5",'
        '"createdAt":"2021-10-28T18:03:52.741Z"}]}}': (4215.5, 0.1, "sell"),
    },
)
