"""Kraken Futures: one level a delta, so a delta of several levels is several frames with numbers of their own."""

from __future__ import annotations

from tests.venues import Row


class Market:
    """Frames of one product. `shift` is how far its numbers run ahead of those the tests count, a message a number."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.shift = 0

    def snapshot(self, sequence, bids, asks):
        self.shift = 0
        sides = ["[" + ",".join(f'{{"price":{price},"qty":{qty}}}' for price, qty in pairs) + "]"
                 for pairs in (bids, asks)]
        return [("frame", (f'{{"feed":"book_snapshot","product_id":"{self.symbol}","timestamp":1626994925378,'
                           f'"seq":{sequence},"tickSize":null,"bids":{sides[0]},"asks":{sides[1]}}}').encode())]

    def delta(self, last, after, bids, asks):
        levels = [("buy", *pair) for pair in bids] + [("sell", *pair) for pair in asks] or [("buy", "0.5", "0")]
        steps = []
        for i, (side, price, qty) in enumerate(levels):
            steps.append(("frame", (f'{{"feed":"book","product_id":"{self.symbol}","side":"{side}",'
                                    f'"seq":{after + self.shift + i},"price":{price},"qty":{qty},'
                                    '"timestamp":1612269953629}').encode()))
        self.shift += len(levels) - 1
        return steps


def make(symbol: str) -> Row:
    market = Market(symbol)
    return Row(venue="kraken_futures", symbol=symbol, snapshot=market.snapshot, delta=market.delta, other="PF_ETHUSD",
               named=make, captures=("kraken_futures/book_v1_20210722",), requests=REQUESTS, controls=CONTROLS,
               trades=TRADES)


REQUESTS = (
    (("PI_XBTUSD", "pf_ethusd"), ("book",), {},
     ('{"event":"subscribe","feed":"book","product_ids":["PI_XBTUSD","PF_ETHUSD"]}',)),
    (("PI_XBTUSD",), ("trades",), {}, ('{"event":"subscribe","feed":"trade","product_ids":["PI_XBTUSD"]}',)),
    (("PI_XBTUSD",), ("mark",), {}, ('{"event":"subscribe","feed":"ticker","product_ids":["PI_XBTUSD"]}',)),
)

CONTROLS = {
    '{"event":"info","version":1}': ("other", None, ""),
    '{"event":"subscribed","feed":"book","product_ids":["FI_ETHUSD_211231"]}': ("ack", None, ""),
    '{"event":"unsubscribed","feed":"book","product_ids":["PI_XBTUSD"]}': ("ack", None, ""),
    '{"event":"subscribed","feed":"heartbeat"}': ("other", None, ""),
    '{"event":"error","message":"Invalid product id"}': ("error", None, "bad_symbol"),
    '{"event":"alert","message":"Bad websocket message"}': ("error", None, ""),
}

# Sheet: "trade.side = taker side".
TRADES = {
    '{"feed":"trade","product_id":"PI_XBTUSD","uid":"05af78ac-a774-478c-a50c-8b9c234e071e","side":"sell","type":"fill",'
    '"seq":653355,"time":1612266317519,"qty":15000,"price":34969.5}': (34969.5, 15000.0, "sell"),
    '{"feed":"trade","product_id":"FI_XBTUSD_190426","side":"buy","type":"fill","seq":5271,"time":1554076802518,'
    '"qty":3,"price":4088.5}': (4088.5, 3.0, "buy"),
}

ROW = make("PI_XBTUSD")
