"""Bitfinex: arrays by chanId, one level a delta, and one number for every frame of a connection."""

from __future__ import annotations

from decimal import Decimal

from tests.venues import Row


class Line:
    """The connection that all symbols of the tests share: the number of its last frame."""

    sequence = 0


class Market:
    """Frames of one symbol's book."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.chan = 225206 if symbol == "tBTCUSD" else 232955

    def frame(self, payload: str, steps: int = 1) -> tuple[str, bytes]:
        Line.sequence += steps
        return "frame", f"[{self.chan},{payload},{Line.sequence}]".encode()

    def snapshot(self, sequence, bids, asks):
        levels = [f"[{price},1,{qty}]" for price, qty in bids if Decimal(qty)]
        levels += [f"[{price},1,-{qty}]" for price, qty in asks if Decimal(qty)]
        subscribed = (f'{{"event":"subscribed","channel":"book","chanId":{self.chan},"symbol":"{self.symbol}",'
                      f'"prec":"P0","freq":"F0","len":"100","pair":"{self.symbol[1:]}"}}')
        return [("frame", b'{"event":"conf","status":"OK","flags":65536}'), ("frame", subscribed.encode()),
                self.frame("[" + ",".join(levels) + "]")]

    def delta(self, last, after, bids, asks):
        payloads = []
        for sign, pairs in (("", bids), ("-", asks)):
            payloads += [f"[{price},1,{sign}{qty}]" if Decimal(qty) else f"[{price},0,{sign}1]" for price, qty in pairs]
        if not payloads:
            payloads = ['"hb"']
        return [self.frame(payloads[0], after - last), *map(self.frame, payloads[1:])]


def make(symbol: str) -> Row:
    market = Market(symbol)
    return Row(venue="bitfinex", symbol=symbol, snapshot=market.snapshot, delta=market.delta, other="tETHUSD",
               named=make, captures=("bitfinex/multi_20210417",), unread=UNREAD, requests=REQUESTS, controls=CONTROLS,
               before=BEFORE, trades=TRADES)


OF_A_PROGRAM = "not the wire's form: the program that recorded it put the channel's description in place of its number"
NO_NAME = "its number names a channel only together with the `subscribed` frame of its connection (tested with one)"

UNREAD = {
    "[{": OF_A_PROGRAM,
    "[[": "a REST answer, which no frame is",
    '{"event":"subscribed","channel":"book"': "an answer, which the corpus has among the snapshots",
    **dict.fromkeys(("[6957,", "[89,", "[6959,", "[94952,", "[129136,", "[127758,", "[12778,", "[23918,", "[23928,",
                     "[23925,", "[23916,", "[386841,", "[907,", "[420191,", "[18788,"), NO_NAME),
}

REQUESTS = (
    (("tBTCUSD",), ("book",), {"depth": 100},
     ('{"event":"subscribe","channel":"book","symbol":"tBTCUSD","prec":"P0","freq":"F0","len":"100"}',)),
    (("btcusd",), ("trades",), {}, ('{"event":"subscribe","channel":"trades","symbol":"tBTCUSD"}',)),
    (("tBTCUSD",), ("ticker",), {}, ('{"event":"subscribe","channel":"ticker","symbol":"tBTCUSD"}',)),
    (("tBTCF0:USTF0",), ("mark",), {}, ('{"event":"subscribe","channel":"status","key":"deriv:tBTCF0:USTF0"}',)),
    (("tBTCF0:USTF0",), ("liquidations",), {}, ('{"event":"subscribe","channel":"status","key":"liq:global"}',)),
)

CONTROLS = {
    '{"event":"info","version":2,"serverId":"083bd8d4-aca7-4690-a573-eabfc8103de8","platform":{"status":1}}':
        ("other", None, ""),
    '{"event":"info","version":2,"serverId":"083bd8d4-aca7-4690-a573-eabfc8103de8","platform":{"status":0}}':
        ("error", None, "maintenance"),
    '{"event":"info","code":20051,"msg":"Stopping"}': ("shutdown", 20051, ""),
    '{"event":"info","code":20060,"msg":"Entering maintenance"}': ("error", 20060, "maintenance"),
    '{"event":"info","code":20061,"msg":"Maintenance ended"}': ("shutdown", 20061, ""),
    '{"event":"conf","status":"OK","flags":65536}': ("other", None, ""),
    '{"event":"subscribed","channel":"book","chanId":225206,"symbol":"tDOGUSD","prec":"P0","freq":"F0","len":"100",'
    '"pair":"DOGUSD"}': ("ack", None, ""),
    '{"event":"subscribed","channel":"ticker","chanId":232949,"symbol":"tBFTUSD","pair":"BFTUSD"}': ("ack", None, ""),
    '{"event":"unsubscribed","status":"OK","chanId":225206}': ("ack", None, ""),
    '{"channel":"book","symbol":"tNOPE","prec":"P0","len":"25","event":"error","msg":"symbol: invalid","code":10300,'
    '"pair":"NOPE"}': ("error", 10300, "bad_symbol"),
    '{"channel":"book","symbol":"tBTCUSD","event":"error","msg":"subscribe: limit","code":10305}': ("error", 10305, ""),
    '{"event":"error","msg":"Already subscribed","code":10202}': ("error", 10202, ""),
    '{"event":"pong","ts":1790134414850,"cid":1234}': ("pong", None, ""),
}

BEFORE = ('{"event":"subscribed","channel":"trades","chanId":18788,"symbol":"tBTCUSD","pair":"BTCUSD"}',)

# Sheet: "AMOUNT sign = aggressor: >0 buy, <0 sell".
TRADES = {
    '[18788,"te",[5690221201,1734237017719,0.00991467,102570],2]': (102570.0, 0.00991467, "buy"),
    '[18788,"te",[1225484398,1665452200022,-0.08980641,19027.02807752]]': (19027.02807752, 0.08980641, "sell"),
}

ROW = make("tBTCUSD")
