"""Hyperliquid's row: every frame is the whole book, and its time the number."""

from __future__ import annotations

import json

from tests.venues import Pairs, Row


def levels(pairs: Pairs) -> list[dict[str, object]]:
    return [{"px": price, "sz": qty, "n": 1} for price, qty in pairs]


def book(symbol: str, time: int, bids: Pairs, asks: Pairs, **more: object) -> bytes:
    """A frame of the book; `more` are further keys of its data."""
    data = {"coin": symbol, "time": time, "levels": [levels(bids), levels(asks)], **more}
    return json.dumps({"channel": "l2Book", "data": data}, separators=(",", ":")).encode()


def row(symbol: str) -> Row:
    return Row(
        venue="hyperliquid",
        symbol=symbol,
        snapshot=lambda sequence, bids, asks: [("frame", book(symbol, sequence, bids, asks))],
        delta=None,
        other="ETH",
        named=row,
        sees_gaps=False,
        captures=("hyperliquid/btc_20250126",),
        not_again={
            '{"channel":"bbo","data":{"coin":"BTC","time":1750948919838': "one side only, as it came once",
        },
        silent_refusal=True,            # the connection is closed without a word
        requests=(
            (("BTC",), ("book",), {},
             ('{"method":"subscribe","subscription":{"type":"l2Book","coin":"BTC","fast":true}}',)),
            (("btc",), ("book", "quotes", "trades", "mark"), {"depth": 20},
             ('{"method":"subscribe","subscription":{"type":"l2Book","coin":"BTC"}}',
              '{"method":"subscribe","subscription":{"type":"bbo","coin":"BTC"}}',
              '{"method":"subscribe","subscription":{"type":"trades","coin":"BTC"}}',
              '{"method":"subscribe","subscription":{"type":"activeAssetCtx","coin":"BTC"}}')),
        ),
        controls={
            '{"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":{"type":"l2Book",'
            '"coin":"BTC","nSigFigs":null,"mantissa":null,"fast":true}}}': ("ack", None, ""),
            '{"channel":"subscriptionResponse","data":{"method":"unsubscribe","subscription":{"type":"l2Book",'
            '"coin":"BTC"}}}': ("ack", None, ""),
            r'{"channel":"error","data":"Already subscribed: {\"type\":\"l2Book\",\"coin\":\"SOL\",\"nSigFigs\":null,'
            r'\"mantissa\":null,\"fast\":false}"}': ("ack", None, ""),
            '{"channel":"error","data":"Error parsing JSON into valid websocket request: {}"}': ("error", None, ""),
            '{"channel":"pong"}': ("pong", None, ""),
            "Websocket connection established.": ("other", None, ""),
        },
        trades={
            # "`\"B\"` buy / `\"A\"` sell = aggressor | V: 23 B at the ask, 41 A at the bid, 0 against"
            '{"channel":"trades","data":[{"coin":"BTC","side":"A","px":"84143.0","sz":"0.00036","time":1790232216193,'
            '"hash":"0x7ab6","tid":1045359869404765,"users":["0x9aa5","0x8269"]}]}': (84143.0, 0.00036, "sell"),
            '{"channel":"trades","data":[{"coin":"BTC","hash":"0x00","px":"105056.0","side":"B","sz":"0.02222",'
            '"tid":917211710228416,"time":1737918847000,"users":["0x8a43","0x6802"]}]}': (105056.0, 0.02222, "buy"),
        },
        quotes={
            '{"channel":"bbo","data":{"coin":"BTC","time":1790232237145,"bbo":[{"px":"84143.0","sz":"10.25923","n":36},'
            '{"px":"84144.0","sz":"50.66422","n":18}]}}': (84143.0, 10.25923, 84144.0, 50.66422),
            '{"channel":"bbo","data":{"coin":"BTC","time":1790232237145,"bbo":[null,{"px":"84144.0","sz":"50.66422",'
            '"n":18}]}}': (0.0, 0.0, 84144.0, 50.66422),
            '{"channel":"bbo","data":{"coin":"BTC","time":1750948919838,"bbo":[{"px":"107575.0","sz":"3.87947",'
            '"n":17}]}}': (107575.0, 3.87947, 0.0, 0.0),
        },
    )


ROW = row("BTC")
