"""Kraken spot: v2 frames as docs.kraken.com shows them; the checksum of every book frame is worked out here."""

from __future__ import annotations

import json
from decimal import Decimal
from zlib import crc32

from tests.venues import Row

DEPTH = 1000
DECIMALS = 8            # of every number made here: the digits as printed belong to the checksum


def printed(number: str) -> str:
    return f"{Decimal(number):.{DECIMALS}f}"


def digits(number: str) -> str:
    return number.replace(".", "").lstrip("0")


def checksum(bids: dict[str, str], asks: dict[str, str]) -> int:
    """CRC-32 over price and quantity of the best ten asks, then bids, as their printed text."""
    best = sorted(asks.items(), key=lambda level: Decimal(level[0]))[:10]
    best += sorted(bids.items(), key=lambda level: -Decimal(level[0]))[:10]
    return crc32("".join(digits(price) + digits(qty) for price, qty in best).encode())


class Market:
    """What the venue would hold of one symbol, and its frames."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.sides: tuple[dict[str, str], dict[str, str]] = ({}, {})

    def frame(self, kind: str, bids, asks) -> tuple[str, bytes]:
        lists = []
        for side, pairs in zip(self.sides, (bids, asks), strict=True):
            texts = [(printed(price), printed(qty)) for price, qty in pairs]
            for price, qty in texts:
                if Decimal(qty):
                    side[price] = qty
                else:
                    side.pop(price, None)
            lists.append("[" + ",".join(f'{{"price":{price},"qty":{qty}}}' for price, qty in texts) + "]")
        return "frame", (f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{self.symbol}","bids":{lists[0]},'
                         f'"asks":{lists[1]},"checksum":{checksum(*self.sides)},'
                         '"timestamp":"2026-08-24T22:21:58.343688Z"}]}').encode()

    def snapshot(self, sequence, bids, asks):
        for side in self.sides:
            side.clear()
        answer = {"method": "subscribe", "result": {"channel": "book", "depth": DEPTH, "snapshot": True,
                                                    "symbol": self.symbol}, "success": True,
                  "time_in": "2026-08-24T22:21:56.724795Z", "time_out": "2026-08-24T22:21:56.724853Z", "req_id": 1}
        return [("frame", json.dumps(answer, separators=(",", ":")).encode()), self.frame("snapshot", bids, asks)]

    def delta(self, last, after, bids, asks):
        return [self.frame("update", bids, asks)]


def make(symbol: str) -> Row:
    market = Market(symbol)
    return Row(venue="kraken", symbol=symbol, snapshot=market.snapshot, delta=market.delta, other="ETH/USD", named=make,
               sees_old=False, captures=CAPTURES, unread=UNREAD, requests=REQUESTS, controls=CONTROLS, trades=TRADES,
               quotes=QUOTES, not_again={"[923,": "a null that its source has seen once, in 2019"})


CAPTURES = ("kraken/book_v1_20210417", "kraken/book_v2_btcusd_20260824", "kraken/ticker_v1_20210417",
            "kraken/trade_v1_20210417")

UNREAD = {
    '{"feed":': "a frame of Kraken Futures, another venue here",
    '{"time":': "a frame of Kraken Futures, another venue here",
    '{"error":[],"result":{"XXBTZUSD"': "a REST answer, which no frame is",
    '{"result":"success","orderBook"': "a REST answer of Kraken Futures",
}

REQUESTS = (
    (("BTC/USD", "eth/usd"), ("book",), {"depth": 10},
     ('{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD","ETH/USD"],"depth":10,"snapshot":true},'
      '"req_id":1}',)),
    (("BTC/USD",), ("trades",), {},
     ('{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD"],"snapshot":false},"req_id":1}',)),
    (("BTC/USD",), ("quotes",), {},
     ('{"method":"subscribe","params":{"channel":"ticker","symbol":["BTC/USD"],"event_trigger":"bbo"},"req_id":1}',)),
)

CONTROLS = {
    '{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online","api_version":"v2",'
    '"connection_id":18239578009413566319}]}': ("other", None, ""),
    '{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"maintenance","api_version":"v2",'
    '"connection_id":806193442143087786}]}': ("error", "maintenance", "maintenance"),
    '{"method":"subscribe","result":{"channel":"book","depth":10,"snapshot":true,"symbol":"BTC/USD"},"success":true,'
    '"time_in":"2023-09-25T09:04:31.742599Z","time_out":"2023-09-25T09:04:31.742648Z","req_id":1}': ("ack", None, ""),
    '{"method":"unsubscribe","result":{"channel":"book","symbol":"BTC/USD"},"success":true,"req_id":2}':
        ("ack", None, ""),
    '{"error":"Currency pair not supported BTC/FOO","method":"subscribe","req_id":1,"success":false,'
    '"symbol":"BTC/FOO","time_in":"2023-09-25T09:04:31.742599Z","time_out":"2023-09-25T09:04:31.742648Z"}':
        ("error", None, "bad_symbol"),
    '{"error":"Exceeded msg rate","method":"subscribe","req_id":1,"success":false}': ("error", None, "rate_limit"),
    '{"method":"pong","req_id":101,"time_in":"2023-09-24T14:10:23.799685Z","time_out":"2023-09-24T14:10:23.799703Z"}':
        ("pong", None, ""),
    '{"channelID":1664,"channelName":"book-1000","event":"subscriptionStatus","pair":"WAVES/EUR",'
    '"status":"subscribed","subscription":{"depth":1000,"name":"book"}}': ("ack", None, ""),
    '{"errorMessage":"Subscription name invalid","event":"subscriptionStatus","pair":"XBT/USD","status":"error",'
    '"subscription":{"name":"trades"}}': ("error", None, ""),
    '{"errorMessage": "Malformed request", "event": "error"}': ("error", None, ""),
    '{"connectionID":17843232920108168701,"event":"systemStatus","status":"online","version":"1.8.3"}':
        ("other", None, ""),
    '{"event":"heartbeat"}': ("other", None, ""),
}

# Sheet: "side = taker side"; v1 "side b/s = taker".
TRADES = {
    '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":105944.20,"qty":0.00027625,'
    '"ord_type":"limit","trade_id":10218208,"timestamp":"2023-10-06T17:35:55.440295Z"}]}':
        (105944.2, 0.00027625, "buy"),
    '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","price":105944.20,"qty":0.25,'
    '"ord_type":"market","trade_id":10218209,"timestamp":"2023-10-06T17:35:55.440295Z"}]}': (105944.2, 0.25, "sell"),
    '[321,[["354.11000000","0.89594024","1618678142.557535","s","l",""]],"trade","XMR/USD"]':
        (354.11, 0.89594024, "sell"),
    '[321,[["57126.70000","0.02063928","1616333924.737428","b","m",""]],"trade","XBT/USD"]':
        (57126.7, 0.02063928, "buy"),
}

QUOTES = {
    '{"channel":"ticker","type":"snapshot","data":[{"symbol":"BTC/USD","bid":105944.20,"bid_qty":2.5,"ask":105944.30,'
    '"ask_qty":3.2,"last":105899.40,"volume":163.28908096,"vwap":105904.39279,"low":104711.00,"high":106613.10,'
    '"change":250.00,"change_pct":0.24,"timestamp":"2022-12-25T09:30:59.123456Z"}]}': (105944.2, 2.5, 105944.3, 3.2),
    '[325,["43770.20000","43770.30000","1633053779.916349","0.00917717","0.31670440"],"spread","XBT/USD"]':
        (43770.2, 0.00917717, 43770.3, 0.3167044),
}

ROW = make("BTC/USD")
