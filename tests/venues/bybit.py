"""Bybit's row: frames of v5 as the venue sends them today."""

from __future__ import annotations

import json

from tests.venues import Pairs, Row


def book(symbol: str, kind: str, number: int, bids: Pairs, asks: Pairs, depth: int = 50) -> bytes:
    """A frame of the topic orderbook.<depth>.<symbol>; kind: "snapshot" or "delta"."""
    frame = {"topic": f"orderbook.{depth}.{symbol}", "type": kind, "ts": 1687940967466,
             "data": {"s": symbol, "b": [list(pair) for pair in bids], "a": [list(pair) for pair in asks],
                      "u": number, "seq": 66544703342 + number}, "cts": 1687940967464}
    return json.dumps(frame, separators=(",", ":")).encode()


def row(symbol: str) -> Row:
    return Row(
        venue="bybit",
        symbol=symbol,
        snapshot=lambda sequence, bids, asks: [("frame", book(symbol, "snapshot", sequence, bids, asks))],
        delta=lambda stands, sequence, bids, asks: [("frame", book(symbol, "delta", sequence, bids, asks))],
        other="ETHUSDT",
        named=row,
        captures=("bybit/v2_linear_20210417", "bybit/v5_linear_ob500_xrpusdt_20241201"),
        unread={
            '{"ret_code":': "answers of REST, not frames of a stream",
            '{"topic":"instrument_info.': "statistics of v2; of v2 the books, trades and liquidations are read",
            '{"topic":"depth",': "the spot API of 2022, which is none of v2 and v5",
            '{"topic":"trade","params"': "the spot API of 2022",
            '{"topic":"bookTicker",': "the spot API of 2022",
            '["16493.50", "0.006"]': "one level, not a frame",
            '{"T":1672304486865,': "one trade, not a frame",
            '{"data":[{"T":': "a frame without its topic, made up by its source",
        },
        not_again={
            **{f'{{"topic":"orderBook{topic}","type":"delta"': "which rows are new follows from the book before it"
               for topic in ("L2_25.BTCUSDM21", "L2_25.BTCUSD", "L2_25.BTCUSDT", "L2_25.XRPUSD", "L2_25.BTCPERP",
                             "_200.100ms.EOSUSD", "_200.100ms.BTCUSDT")},
            '{"topic":"publicTrade.BTCUSDT.should_not_be_present"': "a topic made up by its source",
        },
        requests=(
            (("BTCUSDT",), ("book", "trades", "ticker"), {"depth": 50},
             ('{"req_id":"1","op":"subscribe","args":["orderbook.50.BTCUSDT","publicTrade.BTCUSDT",'
              '"tickers.BTCUSDT"]}',)),
            (("btcusdt",), ("quotes",), {"market": "linear"},
             ('{"req_id":"1","op":"subscribe","args":["orderbook.1.BTCUSDT"]}',)),
            (("ROSEUSDT",), ("liquidations",), {"market": "linear"},
             ('{"req_id":"1","op":"subscribe","args":["allLiquidation.ROSEUSDT"]}',)),
            (("BTC-6JAN23-18000-C",), ("book",), {"market": "option"},
             ('{"req_id":"1","op":"subscribe","args":["orderbook.100.BTC-6JAN23-18000-C"]}',)),
        ),
        controls={
            '{"success":true,"ret_msg":"subscribe","conn_id":"2324d924","req_id":"10001","op":"subscribe"}':
                ("ack", None, ""),
            '{"success":true,"ret_msg":"","conn_id":"3cd84cb1","req_id":"","op":"subscribe"}': ("ack", None, ""),
            '{"success":true,"conn_id":"aa01","data":{"failTopics":[],"successTopics":'
            '["orderbook.100.BTC-6JAN23-18000-C"]},"type":"COMMAND_RESP"}': ("ack", None, ""),
            '{"success":true,"ret_msg":"","conn_id":"f428","request":{"op":"subscribe","args":["trade.BTCUSD"]}}':
                ("ack", None, ""),
            '{"success":false,"ret_msg":"Invalid topic: invalid.topic.BTCUSDT","conn_id":"c","op":"subscribe"}':
                ("error", None, "bad_symbol"),
            '{"success":false,"ret_msg":"error:handler not found,topic:tickers.NOPEUSDT","conn_id":"c","req_id":"2",'
            '"op":"subscribe"}': ("error", None, "bad_symbol"),
            '{"success":true,"ret_msg":"pong","conn_id":"0970e817","op":"ping"}': ("pong", None, ""),
            '{"args":["1672916271846"],"op":"pong"}': ("pong", None, ""),
        },
        trades={
            # "publicTrade: taker side"
            '{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":[{"T":1672304486865,'
            '"s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","L":"PlusTick",'
            '"i":"20f43950-d8dd-5b31-9112-a178eb6023af","BT":false,"RPI":false,"seq":1783284617}]}':
                (16578.5, 0.001, "buy"),
            '{"topic":"publicTrade.BTCUSDC","ts":1680688980000,"type":"snapshot","data":[{"i":"2240000000041223438",'
            '"T":1680688979998,"p":"28528.98","v":"0.00433","S":"Sell","s":"BTCUSDC","BT":false}]}':
                (28528.98, 0.00433, "sell"),
            '{"topic":"trade.BTCUSD","data":[{"trade_time_ms":1616304710061,"timestamp":"2021-03-21T05:31:50.000Z",'
            '"symbol":"BTCUSD","side":"Buy","size":237,"price":57073.5,"tick_direction":"ZeroPlusTick",'
            '"trade_id":"f6198d62-4d4d-5908-9902-32c3aa5d9cfd","cross_seq":5404769827}]}': (57073.5, 237.0, "buy"),
        },
        quotes={
            '{"topic":"orderbook.1.BTCUSDT","ts":1680652806504,"type":"snapshot","data":{"s":"BTCUSDT","b":'
            '[["28165.07","0.175231"]],"a":[["28165.08","0.996816"]],"u":20404754,"seq":4281281856}}':
                (28165.07, 0.175231, 28165.08, 0.996816),
        },
    )


ROW = row("BTCUSDT")
