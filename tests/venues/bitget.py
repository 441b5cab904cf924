"""Bitget's row: frames of v2 as the venue sends them today, without a checksum."""

from __future__ import annotations

import json

from tests.venues import Pairs, Row


def book(symbol: str, action: str, previous: int, sequence: int, bids: Pairs, asks: Pairs, *, market: str = "SPOT",
         channel: str = "books", **more: object) -> bytes:
    """A frame of a book channel; `more` are further keys of its element."""
    element = {"asks": [list(pair) for pair in asks], "bids": [list(pair) for pair in bids], **more,
               "ts": "1789456512452", "seq": sequence, "pseq": previous}
    frame = {"action": action, "arg": {"instType": market, "channel": channel, "instId": symbol}, "data": [element],
             "ts": 1789456512453}
    return json.dumps(frame, separators=(",", ":"), ensure_ascii=False).encode()


def row(symbol: str) -> Row:
    return Row(
        venue="bitget",
        symbol=symbol,
        snapshot=lambda sequence, bids, asks: [("frame", book(symbol, "snapshot", 0, sequence, bids, asks))],
        delta=lambda stands, sequence, bids, asks: [("frame", book(symbol, "update", stands, sequence, bids, asks))],
        other="牛来USDT",
        named=row,
        captures=("bitget/spot_v1_20220407",),
        unread={
            '{"code":"00000"': "answers of REST, not frames of a stream",
            '{"data":[{"instrument_id"': "the API of 2021, which v1 replaced; no capture of it",
            '{"data":[{"funding_rate"': "the API of 2021",
            '{"action":"partial"': "the API of 2021",
            '{"action":"update","data":[{"asks":[["34641.5"': "the API of 2021",
            '{"action":"snapshot","arg":{"instType":"SPOT","channel":"trade"': "history, sent on every subscription",
            '{"action":"snapshot","arg":{"instType":"usdt-futures","topic":"publicTrade"': "history, as above",
        },
        requests=(
            (("BTCUSDT",), ("book", "ticker"), {},
             ('{"op":"subscribe","args":[{"instType":"SPOT","channel":"books","instId":"BTCUSDT"},'
              '{"instType":"SPOT","channel":"ticker","instId":"BTCUSDT"}]}',)),
            (("btcusdt",), ("trades", "quotes"), {"market": "usdt-futures"},
             ('{"op":"subscribe","args":[{"instType":"USDT-FUTURES","channel":"trade","instId":"BTCUSDT"},'
              '{"instType":"USDT-FUTURES","channel":"books1","instId":"BTCUSDT"}]}',)),
            (("牛来USDT",), ("book",), {"depth": 15},
             ('{"op":"subscribe","args":[{"instType":"SPOT","channel":"books15","instId":"牛来USDT"}]}',)),
            (("APEUSDT",), ("liquidations",), {"market": "usdt-futures"},
             ('{"op":"subscribe","args":[{"instType":"usdt-futures","topic":"liquidation"}]}',)),
        ),
        controls={
            '{"event":"subscribe","arg":{"instType":"SPOT","channel":"books","instId":"BTCUSDT"}}': ("ack", None, ""),
            '{"event":"unsubscribe","arg":{"instType":"SPOT","channel":"books","instId":"BTCUSDT"}}': ("ack", None, ""),
            '{"event":"subscribe","arg":{"instType":"usdt-futures","topic":"books","symbol":"BTCUSDT"},"connId":"c"}':
                ("ack", None, ""),
            '{"event":"error","arg":{"instType":"SPOT","channel":"books","instId":"NOPEUSDT"},"code":30001,"msg":'
            '"instType:SPOT,channel:books,instId:NOPEUSDT,precision:null doesn\'t exist","op":"subscribe"}':
                ("error", 30001, "bad_symbol"),
            '{"event":"error","code":30016,"msg":"Param error","op":"subscribe"}': ("error", 30016, ""),
            '{"event":"error","code":30007,"msg":"request over limit,connection close"}':
                ("error", 30007, "rate_limit"),
            "pong": ("pong", None, ""),
        },
        trades={
            # "trade: side aggressor, lower case"
            '{"action":"update","arg":{"instType":"SPOT","channel":"trade","instId":"BTCUSDT"},"data":[{"ts":'
            '"1730332858796","price":"72389.99","size":"0.001373","side":"buy","tradeId":"1235671058980749319"}],'
            '"ts":1730332858805}': (72389.99, 0.001373, "buy"),
            '{"action":"update","arg":{"instType":"spot","topic":"publicTrade","symbol":"BTCUSDT"},"data":[{"i":'
            '"1432912488536195072","p":"76671.22","v":"0.001367","S":"sell","T":"1777358880170","L":'
            '"1432912488536195073","isRPI":"no"}],"ts":1777358880172}': (76671.22, 0.001367, "sell"),
            '{"action":"update","arg":{"instType":"sp","channel":"trade","instId":"HOTUSDT"},"data":[["1649290077777",'
            '"0.005613","890.8","buy"]]}': (0.005613, 890.8, "buy"),
        },
        quotes={
            '{"action":"snapshot","arg":{"instType":"SPOT","channel":"books1","instId":"ADAUSDT"},"data":[{"asks":'
            '[["0.3555","10230"]],"bids":[["0.3553","112096"]],"checksum":0,"ts":"1730332859988"}],'
            '"ts":1730332859989}': (0.3553, 112096.0, 0.3555, 10230.0),
            '{"action":"snapshot","arg":{"instType":"SPOT","channel":"books1","instId":"AQTUSDT"},"data":[{"asks":'
            '[["1.4138","4.58"]],"bids":[],"checksum":0,"ts":"1730860330169"}],"ts":1730860330170}':
                (0.0, 0.0, 1.4138, 4.58),
        },
    )


ROW = row("BTCUSDT")
