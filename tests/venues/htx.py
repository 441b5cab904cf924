"""HTX: rows of the list of demands; books as spot's mbp sends them, which a feed subscribes to."""

from __future__ import annotations

import json
from functools import partial

from tests.venues import Row


def levels(pairs):
    """Bare numbers, as the venue writes them; the text stays as it is."""
    return "[" + ",".join(f"[{price},{qty}]" for price, qty in pairs) + "]"


def answer(symbol, sequence, bids, asks):
    """The answer to a request for the whole book."""
    return (f'{{"id":"2","rep":"market.{symbol}.mbp.150","status":"ok","data":{{"seqNum":{sequence},'
            f'"bids":{levels(bids)},"asks":{levels(asks)}}}}}').encode()


def change(symbol, last, number, bids, asks):
    return (f'{{"ch":"market.{symbol}.mbp.150","ts":{1573199608679 + number},"tick":{{"seqNum":{number},'
            f'"prevSeqNum":{last},"bids":{levels(bids)},"asks":{levels(asks)}}}}}').encode()


def swap(symbol, event, version, bids, asks, size=150):
    """One frame of a swap's book."""
    topic = f"market.{symbol}.depth.size_{size}.high_freq"
    return (f'{{"ch":"{topic}","ts":{1790134831873 + version},"tick":{{"asks":{levels(asks)},"bids":{levels(bids)},'
            f'"ch":"{topic}","event":"{event}","id":100129125618998,"mrid":100129125618998,'
            f'"ts":{1790134831870 + version},"version":{version}}}}}').encode()


def text(message):
    return json.dumps(message, separators=(",", ":"))


def snapshot(symbol, sequence, bids, asks):
    """The stream has come to the number that the answer has."""
    return [("frame", change(symbol, sequence - 1, sequence, [], [])), ("frame", answer(symbol, sequence, bids, asks))]


def delta(symbol, last, number, bids, asks):
    return [("frame", change(symbol, last, number, bids, asks))]


def named(symbol):
    return Row(
        venue="htx",
        symbol=symbol,
        snapshot=partial(snapshot, symbol),
        delta=partial(delta, symbol),
        other="ethusdt",
        named=named,
        captures=("htx/linear_swap_20220219", "htx/spot_20210417"),
        not_again={
            **dict.fromkeys((f'{{"ch":"market.{symbol}' for symbol in (
                "BTC_", "ETH_", "BCH_", "DOT_", "ETH-USDT-210521", "BTC-USDT-210625")),
                "a dated future or an option, which no stream is made for"),
            **dict.fromkeys((f'{{"ch":"market.{name}' for name in (
                "btcusdt.depth.step1", "BTC-USD.depth.step7", "ANT-USD.depth.step7", "GST-USDT.depth.step7")),
                "merged prices, which no stream is made for"),
            '{"ch":"market.xmrbtc.trade': "a trade of 2019 whose only id has 23 digits; the event keeps the last 18",
            **dict.fromkeys((f'{{"op":"notify","topic":"public.{symbol}.' for symbol in ("*", "BTC")),
                            "of several contracts, or of dated ones"),
        },
        unread={
            '{"status":"ok","data":[': "an answer of REST, not a frame",
            '{"op":"notify","topic":"public.BSV.contract_info"': "a list of contracts",
            '{"op":"notify","topic":"public.BTC.contract_info"': "a list of contracts",
            '{"op":"sub"': "an answer to a subscription",
            '{"ch":"market.ETH_NW.basis': "candles of the basis",
            '{"ch":"market.BTC-USD.basis': "candles of the basis",
            '{"ch":"market.BTC-USDT.basis': "candles of the basis",
        },
        requests=(
            (("btcusdt",), ("book",), {"depth": 400}, ('{"sub":"market.btcusdt.mbp.400","id":"1"}',)),
            (("btcusdt",), ("book",), {"speed": "1s"}, ('{"sub":"market.btcusdt.depth.step0","id":"1"}',)),
            (("btcusdt",), ("quotes",), {}, ('{"sub":"market.btcusdt.bbo","id":"1"}',)),
            (("btcusdt",), ("trades",), {}, ('{"sub":"market.btcusdt.trade.detail","id":"1"}',)),
            (("BTC-USDT",), ("book",), {"market": "swap"},
             ('{"sub":"market.BTC-USDT.depth.size_150.high_freq","data_type":"incremental","id":"1"}',)),
            (("BTC-USDT",), ("ticker",), {"market": "swap"}, ('{"sub":"market.BTC-USDT.detail","id":"1"}',)),
            (("BTC-USDT",), ("liquidations",), {"market": "swap"},
             ('{"op":"sub","cid":"1","topic":"public.BTC-USDT.liquidation_orders"}',)),
        ),
        controls={
            '{"id":"1","status":"ok","subbed":"market.trioeth.depth.step0","ts":1618678073643}': ("ack", None, ""),
            '{"id":1,"status":"ok","subbed":"market.trioeth.depth.step0","ts":1618678070653}': ("ack", None, ""),
            '{"id":"1","subbed":"market.GRT-USDT.trade.detail","ts":1645289384874,"status":"ok"}': ("ack", None, ""),
            '{"id":"8","status":"ok","unsubbed":"market.btcusdt.mbp.400","ts":1618678073643}': ("ack", None, ""),
            '{"status":"error","ts":1618678073643,"id":"e-unknown","err-code":"bad-request",'
            '"err-msg":"invalid topic market.NOPE.depth"}': ("error", "bad-request", "bad_symbol"),
            '{"op":"sub","cid":"1","topic":"public.BTC-USDT.funding_rate","ts":1790134831873,"err-code":0}':
                ("ack", None, ""),
            '{"ping":1618678073643}': ("ping", None, ""),
            '{"op":"ping","ts":"1618678073643"}': ("ping", None, ""),
        },
        trades={
            # "`direction` | buy/sell aggressor"; "`direction` may be `""`"
            '{"ch":"market.btcusdt.trade.detail","ts":1618678073700,"tick":{"id":100182534526,"ts":1618678073690,"data":'
            '[{"id":100182534526255757567432481,"ts":1618678073690,"tradeId":102523573486,"amount":0.01,'
            '"price":55000.1,"direction":"buy"}]}}': (55000.1, 0.01, "buy"),
            '{"ch":"market.BTC-USDT.trade.detail","ts":1666114554581,"tick":{"id":118655891999,"ts":1666114554480,'
            '"data":[{"amount":2,"quantity":0.002,"trade_turnover":38.85,"ts":1666114554480,"id":1186558919990000,'
            '"price":19425,"direction":""}]}}': (19425, 2, None),
        },
        quotes={
            '{"ch":"market.btcusdt.bbo","ts":1790134831873,"tick":{"seqId":100020146795,"ask":86853.5,"askSize":0.31,'
            '"bid":86853.4,"bidSize":1.2,"quoteTime":1790134831872,"symbol":"btcusdt"}}': (86853.4, 1.2, 86853.5, 0.31),
            '{"ch":"market.BTC-USDT.bbo","ts":1790134831873,"tick":{"ask":[86853.5,310],"bid":[86853.4,1200],'
            '"ch":"market.BTC-USDT.bbo","id":100129125618998,"mrid":100129125618998,"ts":1790134831870,'
            '"version":100129125618998}}': (86853.4, 1200, 86853.5, 310),
        },
    )


ROW = named("btcusdt")
