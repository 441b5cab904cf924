"""Gemini: frames of the tests' choice in the form of 2026, and what the venue's sheet prints."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.venues import Pairs, Row


def update(symbol: str, first: int, last: int, bids: Pairs, asks: Pairs) -> bytes:
    """A depthUpdate; it is the whole book where first is last."""
    message = {"e": "depthUpdate", "E": 1789456742337187316, "s": symbol, "U": first, "u": last,
               "b": [list(level) for level in bids], "a": [list(level) for level in asks]}
    return json.dumps(message, separators=(",", ":")).encode()


def row_of(symbol: str) -> Row:
    """The row, with frames of this symbol. Numbers are ten times those of the tests: the venue counts all symbols."""

    def snapshot(sequence: int, bids: Pairs, asks: Pairs) -> list[tuple]:
        return [("frame", update(symbol, 10 * sequence, 10 * sequence, bids, asks))]

    def delta(last: int, sequence: int, bids: Pairs, asks: Pairs) -> list[tuple]:
        return [("frame", update(symbol, 10 * last, 10 * sequence, bids, asks))]

    return Row(venue="gemini", symbol=symbol, snapshot=snapshot, delta=delta)


ROW = replace(
    row_of("btcusd"),
    other="ethgusdperp",
    named=row_of,
    captures=("gemini/l2_20210624",),
    requests=(
        (("btcusd",), ("book", "quotes", "trades"), {},
         ('{"id":1,"method":"subscribe","params":["btcusd@depth@100ms","btcusd@bookTicker","btcusd@trade"]}',)),
        (("btcusd",), ("book",), {"depth": 20, "speed": "1000ms"},
         ('{"id":1,"method":"subscribe","params":["btcusd@depth20"]}',)),
    ),
    controls={
        '{"id":1,"status":200}': ("ack", None, ""),
        '{"id":4,"status":400,"error":{"code":-1013,"msg":"Invalid stream name: nosuchperp@depth@100ms"}}':
            ("error", -1013, "bad_symbol"),
        '{"id":11,"status":400,"error":{"code":-1020,"msg":"Unsupported operation"}}': ("error", -1020, ""),
        '{"id":12,"status":429,"error":{"code":-1003,"msg":"Too many requests"}}': ("error", -1003, "rate_limit"),
        '{"type":"heartbeat","timestamp":1624493666869}': ("other", None, ""),
        '{"reason":"NoValidTradingPairs","result":"error"}': ("error", None, "bad_symbol"),
    },
    trades={
        '{"E":1783981140076872200,"s":"btcrlusd","t":2840141014190422,"p":"62145.38000","q":"0.0162522200","m":true}':
            (62145.38, 0.01625222, "sell"),
        '{"E":1783981140076872200,"s":"btcrlusd","t":2840141014190423,"p":"62145.38000","q":"0.5","m":false}':
            (62145.38, 0.5, "buy"),
        '{"type":"trade","symbol":"ANKRUSD","event_id":45465818387,"timestamp":1624493670759,"price":"0.07946",'
        '"quantity":"1020.482111","side":"buy"}': (0.07946, 1020.482111, "buy"),
        '{"type":"trade","symbol":"ANKRUSD","event_id":45465818388,"timestamp":1624493670759,"price":"0.07946",'
        '"quantity":"1","side":"sell"}': (0.07946, 1, "sell"),
    },
    quotes={
        '{"u":1764549594389752,"E":1783981140076872200,"s":"xrpgusd","b":"1.0614900","B":"958.69148000",'
        '"a":"1.0615000","A":"38.39060000","c":"1.0612500","C":"4.71027100"}': (1.06149, 958.69148, 1.0615, 38.3906),
    },
)
