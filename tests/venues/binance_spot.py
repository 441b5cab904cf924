"""Binance spot: snapshots by REST, deltas of the combined stream."""

from __future__ import annotations

from tests import frames
from tests.venues import Row


def row(symbol: str) -> Row:
    def snapshot(sequence, bids, asks):
        return [("frame", frames.delta(sequence, sequence, None, (), (), symbol)),
                ("rest", frames.rest_url("binance_spot", symbol), frames.snapshot(sequence, bids, asks, False))]

    def delta(stands, sequence, bids, asks):
        return [("frame", frames.delta(stands + 1, sequence, None, bids, asks, symbol))]

    return Row(
        venue="binance_spot",
        symbol=symbol,
        snapshot=snapshot,
        delta=delta,
        other="ETHUSDT",
        named=row,
        captures=('binance_spot/btcusdt_20240808', 'binance_spot/multi_20211012'),
        unread={
            '{"stream":"BTCUSDT_C@TRADE_ALL"': "trades of options",
            '["4.00000200"': "a part of a message",
            '{"lastUpdateId"': "an answer by REST, or a partial book that names no symbol",
            '{"e":"trade","E":1649324825173,"s":"ETHUSDT","t":1000000000,"p":"10000.19000000"':
                "made up: the side is 'yes'",
        },
        not_again={
            '{"stream":"bnbbtc@trade","data":{"e":"trade","E":1567296001038': "2019: with the ids of both orders",
            '{"e":"trade","E":1649324825173,"s":"ETHUSDT","t":1000000000,"p":"10000.19"': "2022: with those ids",
        },
        requests=(
            (("btcusdt",), ("book",), {}, ('{"method":"SUBSCRIBE","params":["btcusdt@depth@100ms"],"id":1}',)),
        ),
        controls={
            '{"result":null,"id":1}': ("ack", None, ""),
            '{"error":{"code":2,"msg":"Invalid request"},"id":1}': ("error", 2, ""),
        },
        trades={
            # "m": the buyer is the maker, so a seller crossed the spread
            '{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161256322,"T":1723161256322,"s":"BTCUSDT",'
            '"t":5266583935,"p":"61800.30","q":"6","X":"MARKET","m":true}}': (61800.3, 6.0, "sell"),
        },
        quotes={
            '{"stream":"btcusdt@bookTicker","data":{"u":5123107839020,"s":"BTCUSDT","b":"61800.20","B":"2","a":"61800.30",'
            '"A":"3"}}': (61800.2, 2.0, 61800.3, 3.0),
        },
    )


ROW = row("BTCUSDT")
