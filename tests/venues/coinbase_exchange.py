"""Coinbase Exchange: frames of the tests' choice, and what the venue's sheet prints."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.venues import Pairs, Row


def pack(message: dict) -> bytes:
    """A message as the venue sends it."""
    return json.dumps(message, separators=(",", ":")).encode()


def row_of(symbol: str) -> Row:
    """The row, with frames of this symbol; book messages have no numbers."""

    def snapshot(sequence: int, bids: Pairs, asks: Pairs) -> list[tuple]:
        return [("frame", pack({"type": "snapshot", "product_id": symbol, "asks": [list(level) for level in asks],
                                "bids": [list(level) for level in bids]}))]

    def delta(last: int, sequence: int, bids: Pairs, asks: Pairs) -> list[tuple]:
        changes = [["buy", *level] for level in bids] + [["sell", *level] for level in asks]
        return [("frame", pack({"type": "l2update", "product_id": symbol, "changes": changes,
                                "time": "2021-04-17T16:43:37.075687Z"}))]

    return Row(venue="coinbase_exchange", symbol=symbol, snapshot=snapshot, delta=delta, sees_gaps=False,
               sees_old=False)


ROW = replace(
    row_of("BTC-USD"),
    other="SKL-BTC",
    named=row_of,
    captures=("coinbase_exchange/level2_20210417",),
    unread={
        '{"bids": [["0.1135"': "an answer by REST: its number says nothing about the stream, which has none",
        '{"type":"snapshot","product_id":"YFI-USD"': "a quantity of 0.-10000, as the venue once sent it",
    },
    not_again={
        '{"type":"l2update","product_id":"BTC-EUR","changes":[["buy","9202.70"': "the year 1 is kept as no time",
    },
    requests=(
        (("BTC-USD",), ("book", "trades"), {},
         ('{"type":"subscribe","product_ids":["BTC-USD"],"channels":["level2_batch","matches"]}',)),
        (("BTC-USD", "ETH-USD"), ("ticker",), {},
         ('{"type":"subscribe","product_ids":["BTC-USD","ETH-USD"],"channels":["ticker"]}',)),
    ),
    controls={
        '{"type":"subscriptions","channels":[{"name":"level2","product_ids":["BTC-USD"]}]}': ("ack", None, ""),
        '{"type":"error","message":"Failed to subscribe","reason":"FOO-USD is not a valid product"}':
            ("error", None, "bad_symbol"),
        '{"type":"heartbeat","last_trade_id":20,"product_id":"BTC-USD","sequence":90,'
        '"time":"2014-11-07T08:19:28.464459Z"}': ("other", None, ""),
    },
    trades={
        '{"type":"match","trade_id":280232,"maker_order_id":"2a0d..","taker_order_id":"3c82..","side":"sell",'
        '"size":"985","price":"0.00001305","product_id":"SKL-BTC","sequence":177100030,'
        '"time":"2021-04-17T16:43:37.089723Z"}': (0.00001305, 985, "buy"),
        '{"type":"match","trade_id":216544,"maker_order_id":"4c2aa376-4bda-4947-84ee-4dc5a6337cba",'
        '"taker_order_id":"247a6eb2-b5c1-42db-b0ac-cb74b85bcac8","side":"buy","size":"0.97133855","price":"4.97800000",'
        '"product_id":"ETC-GBP","sequence":253395153,"time":"2019-08-01T00:00:03.816000Z"}':
            (4.978, 0.97133855, "sell"),
    },
    quotes={
        '{"type":"ticker","sequence":37475248783,"product_id":"ETH-USD","price":"1285.22","open_24h":"1310.79",'
        '"volume_24h":"245532.79269678","low_24h":"1280.52","high_24h":"1313.8","volume_30d":"9788783.60117027",'
        '"best_bid":"1285.04","best_bid_size":"0.46688654","best_ask":"1285.27","best_ask_size":"1.56637040",'
        '"side":"buy","time":"2022-10-19T23:28:22.061769Z","trade_id":370843401,"last_size":"11.4396987"}':
            (1285.04, 0.46688654, 1285.27, 1.5663704),
    },
)
