"""KuCoin: rows of the list of demands; books as the unified feed sends them, which a feed subscribes to."""

from __future__ import annotations

import json
from functools import partial

from tests.venues import Row


def unified(symbol, kind, first, last, bids, asks, market="SPOT"):
    """One frame of the unified book, with the spaces that the venue writes."""
    data = {"a": [list(level) for level in asks], "b": [list(level) for level in bids], "C": last, "s": symbol,
            "M": 1790114459839000000 + last, "O": first}
    return (f'{{"T":"obu.{market}", "dp":"increment@10ms", "t":"{kind}", "P":{1790114459840641662 + last}, '
            f'"d":{json.dumps(data, separators=(",", ":"))}}}').encode()


def snapshot(symbol, sequence, bids, asks):
    return [("frame", unified(symbol, "snapshot", sequence, sequence, bids, asks))]


def delta(symbol, last, number, bids, asks):
    return [("frame", unified(symbol, "delta", last + 1, number, bids, asks))]


def named(symbol):
    return Row(
        venue="kucoin",
        symbol=symbol,
        snapshot=partial(snapshot, symbol),
        delta=partial(delta, symbol),
        other="ETH-USDT",
        named=named,
        captures=("kucoin/level2_20210425",),
        silent_refusal=True,                    # the unified feed acknowledges any symbol
        not_again={
            '{"type":"message","topic":"/market/snapshot:BTC"': "a topic of all pairs of a coin, which nobody asks for",
            '{"topic":"/contract/announcement"': "settled funding, which nobody asks for",
            '{"subject":"tickerV2","topic":"/contractMarket/tickerV2:ETHUSDCM"': "an example without type and number",
            '{"topic":"/contractMarket/snapshot:ETHUSDCM"': "an example without type and most of its values",
            '{"topic":"/contract/instrument:ETHUSDCM"': "an example without type",
        },
        unread={
            '{"code":"200000"': "an answer of REST, not a frame",
            '{"type":"message","topic":"/spotMarket/level3': "single orders",
            '{"type":"message","topic":"/contractMarket/level3v2': "single orders",
            '{"id":"","type":"message","topic":"/indicator/index': "an index of margin trading, of no instrument",
            '{"type":"message","topic":"/indicator/markPrice': "a mark price of margin trading, of no instrument",
            '{"type":"message","topic":"/spotMarket/tradeOrders': "private",
            '{"type":"message","topic":"/spotMarket/advancedOrders': "private",
            '{"type":"message","topic":"/account/': "private",
            '{"type":"message","topic":"/margin/': "private",
            '{"userId"': "private",
            '{"type":"message","userId"': "private",
        },
        requests=(
            (("BTC-USDT",), ("book",), {},
             ('{"id":"1","action":"SUBSCRIBE","channel":"obu","tradeType":"SPOT","symbol":"BTC-USDT",'
              '"depth":"increment@10ms","rpiFilter":0}',)),
            (("BTC-USDT", "ETH-USDT"), ("book",), {"speed": "realtime"},
             ('{"id":1,"type":"subscribe","topic":"/market/level2:BTC-USDT,ETH-USDT","privateChannel":false,'
              '"response":true}',)),
            (("XBTUSDTM",), ("trades", "quotes", "mark"), {"market": "futures"},
             ('{"id":1,"type":"subscribe","topic":"/contractMarket/execution:XBTUSDTM","privateChannel":false,'
              '"response":true}',
              '{"id":1,"type":"subscribe","topic":"/contractMarket/tickerV2:XBTUSDTM","privateChannel":false,'
              '"response":true}',
              '{"id":1,"type":"subscribe","topic":"/contract/instrument:XBTUSDTM","privateChannel":false,'
              '"response":true}')),
        ),
        controls={
            '{"sessionId":"9e7a","message":"welcome","pingInterval":18000}': ("other", None, ""),
            '{"id":"NSkIrWGB1s","type":"welcome"}': ("other", None, ""),
            '{"id":"p1","result":true}': ("pong", None, ""),
            '{"id":"18","result":false,"message":"invalid request data"}': ("error", None, "bad_symbol"),
            '{"id":"1","type":"ack"}': ("ack", None, ""),
            '{"id":"9","type":"error","code":404,"data":"topic does not exist"}': ("error", 404, "bad_symbol"),
            '{"type":"pong","id":"p32","ts":1790114459840641662}': ("pong", None, ""),
            '{"id":"p32","type":"pong"}': ("pong", None, ""),
        },
        trades={
            # "`side` | `buy`/`sell` | aggressor"
            '{"topic":"/market/match:BTC-USDT","type":"message","subject":"trade.l3match","data":{"makerOrderId":"a",'
            '"price":"67523","sequence":"11067996711960577","side":"buy","size":"0.003","symbol":"BTC-USDT",'
            '"takerOrderId":"b","time":"1729843222921000000","tradeId":"11067996711960577","type":"match"}}':
                (67523, 0.003, "buy"),
            '{"topic":"/contractMarket/execution:SOLUSDTM","type":"message","subject":"match","sn":1701197946092,"data":'
            '{"symbol":"SOLUSDTM","sequence":1701197946092,"makerUserId":"654d","side":"sell","size":10,'
            '"price":"93.624","takerOrderId":"1379","takerUserId":"61dd","makerOrderId":"1379",'
            '"tradeId":"1701197946092","ts":1705708799998000000}}': (93.624, 10, "sell"),
        },
        quotes={
            '{"topic":"/spotMarket/level1:BTC-USDT","type":"message","subject":"level1","data":{"asks":["68145.8",'
            '"0.51987471"],"bids":["68145.7","1.29267802"],"timestamp":1729816058766}}':
                (68145.7, 1.29267802, 68145.8, 0.51987471),
            '{"topic":"/contractMarket/tickerV2:AUCTIONUSDTM","type":"message","subject":"tickerV2","sn":1702237470700,'
            '"data":{"symbol":"AUCTIONUSDTM","sequence":1702237470700,"bestBidSize":260,"bestBidPrice":"24.067",'
            '"bestAskPrice":"24.08","bestAskSize":250,"ts":1705708800078000000}}': (24.067, 260, 24.08, 250),
        },
    )


ROW = named("BTC-USDT")
