"""Gate.io: rows of the list of demands; books as `obu` sends them, which a feed subscribes to."""

from __future__ import annotations

import json
from functools import partial

from tests.venues import Row

SPOT_ACK = '{"time":1748572393,"time_ms":1748572393123,"conn_id":"06a3248d8f02479a","trace_id":"1dc9df8b7bf583c0",' \
           '"channel":"spot.obu","event":"subscribe","payload":["ob.BTC_USDT.50"],"result":{"status":"success"}}'
REFUSED = '{"time":1748572393,"channel":"spot.obu","event":"subscribe","error":{"code":2,"message":' \
          '"Alert sub ob.BTC_USDT.50"},"result":{"status":"fail"}}'
UNKNOWN = '{"time":1748572393,"channel":"spot.trades","event":"subscribe","payload":["NO_PE"],"error":{"code":2,' \
          '"message":"unknown currency pair: NO_PE"},"result":{"status":"fail"}}'


def frame(symbol, last, bids, asks, first=None, depth=400, market="spot"):
    """One frame of `obu`: a whole book without `first`."""
    result = {"t": 1757377580000 + last, "s": f"ob.{symbol}.{depth}", "u": last}
    result |= {"full": True} if first is None else {"U": first}
    result |= {"b": [list(level) for level in bids]} if bids else {}
    result |= {"a": [list(level) for level in asks]} if asks else {}
    return json.dumps({"channel": f"{market}.obu", "event": "update", "time_ms": 1757377580073, "result": result},
                      separators=(",", ":")).encode()


def snapshot(symbol, sequence, bids, asks):
    return [("frame", frame(symbol, sequence, bids, asks))]


def delta(symbol, last, number, bids, asks):
    return [("frame", frame(symbol, number, bids, asks, first=last + 1))]


def named(symbol):
    return Row(
        venue="gateio",
        symbol=symbol,
        snapshot=partial(snapshot, symbol),
        delta=partial(delta, symbol),
        other="ETH_USDT",
        named=named,
        captures=("gateio/futures_usdt_20230524", "gateio/spot_20210422"),
        not_again={
            '{"time":1667469835,"channel":"futures.trades"': "a price without quotes, which the venue never sends",
            '{"time":1653810275,"channel":"futures.order_book"': "a dated contract, which has a socket of its own",
            '{"time":1654162230,"channel":"futures.tickers"': "a dated contract, which has a socket of its own",
            '{"time":1617952183,"channel":"futures.tickers"': "an array in an array, as it was for a while in 2021",
            '{"channel":"futures.trades","event":"update","time":1541503698': "a dated contract, of the documentation",
        },
        silent_refusal=True,                # a stream of obu that there is not is acknowledged, and says nothing
        unread={
            '{"method"': "API v3, closed",
            '{"current"': "an answer of REST, not a frame",
            '[{"long_liq_size"': "an answer of REST, not a frame",
            '{"time":1593561606,"channel":"futures.order_book","event":"update"':
                "one-level updates of 2020: they do not say on which side a level was removed",
            '{"time":1593600249,"channel":"futures.order_book","event":"update"':
                "one-level updates of 2020: they do not say on which side a level was removed",
        },
        # With time.time() at 1748572393, the second of the sheet's examples.
        requests=(
            (("BTC_USDT",), ("book",), {"depth": 50, "market": "spot"},
             ('{"time":1748572393,"channel":"spot.obu","event":"subscribe","payload":["ob.BTC_USDT.50"]}',)),
            (("BTC_USDT",), ("book",), {"market": "futures"},
             ('{"time":1748572393,"channel":"futures.obu","event":"subscribe","payload":["ob.BTC_USDT.400"]}',)),
            (("BTC_USDT",), ("book",), {"depth": 100},
             ('{"time":1748572393,"channel":"spot.order_book_update","event":"subscribe",'
              '"payload":["BTC_USDT","100ms"]}',)),
            (("BTC_USDT",), ("book",), {"depth": 100, "market": "futures"},
             ('{"time":1748572393,"channel":"futures.order_book_update","event":"subscribe",'
              '"payload":["BTC_USDT","100ms","100"]}',)),
            (("BTC_USDT", "ETH_USDT"), ("quotes",), {},
             ('{"time":1748572393,"channel":"spot.book_ticker","event":"subscribe","payload":["BTC_USDT","ETH_USDT"]}',)),
            (("BTC_USDT",), ("trades", "ticker"), {},
             ('{"time":1748572393,"channel":"spot.trades","event":"subscribe","payload":["BTC_USDT"]}',
              '{"time":1748572393,"channel":"spot.tickers","event":"subscribe","payload":["BTC_USDT"]}')),
        ),
        controls={
            SPOT_ACK: ("ack", None, ""),
            REFUSED: ("error", 2, ""),
            UNKNOWN: ("error", 2, "bad_symbol"),
            '{"time":1748572393,"time_ms":1748572393001,"channel":"spot.pong","event":"","result":null}':
                ("pong", None, ""),
            '{"time":1748572393,"channel":"futures.system","event":"update","result":{"type":"upgrade","msg":"..."}}':
                ("shutdown", None, ""),
        },
        trades={
            # "size sign = aggressor (negative = sell)"
            '{"channel":"futures.trades","event":"update","result":[{"size":-108,"id":27753479,"create_time":1545136464,'
            '"create_time_ms":1545136464123,"price":"96.4","contract":"BTC_USD"}]}': (96.4, 108, "sell"),
            '{"time":1774443183,"channel":"futures.trades","event":"update","result":[{"size":"0.25","id":1,'
            '"create_time":1774443183,"create_time_ms":1774443183399,"price":"2171.44","contract":"ETH_USDT"}]}':
                (2171.44, 0.25, "buy"),
            # "`side` aggressor"
            '{"channel":"spot.trades","event":"update","result":{"id":5541729596,"create_time":1682689046,'
            '"create_time_ms":"1682689046123.0","side":"sell","currency_pair":"SUSD_USDT","amount":"8.5234",'
            '"price":"0.9782"}}': (0.9782, 8.5234, "sell"),
        },
        quotes={
            '{"channel":"futures.book_ticker","event":"update","result":{"t":1619093543708,"u":2517661076,"s":"BTC_USD",'
            '"b":"54696.6","B":37000,"a":"54696.7","A":47061}}': (54696.6, 37000, 54696.7, 47061),
            '{"time":1654029559,"channel":"spot.book_ticker","event":"update","result":{"t":1654029559473,"u":6765708346,'
            '"s":"BTC_USDT","b":"31738.93","B":"2.3039","a":"31738.94","A":"0.335"}}':
                (31738.93, 2.3039, 31738.94, 0.335),
        },
    )


ROW = named("BTC_USDT")
