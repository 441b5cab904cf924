"""Binance USD-M futures: snapshots by REST, deltas of the combined stream."""

from __future__ import annotations

from tests import frames
from tests.venues import Row


def row(symbol: str) -> Row:
    def snapshot(sequence, bids, asks):
        return [("frame", frames.delta(sequence, sequence, sequence - 1, (), (), symbol)),
                ("rest", frames.rest_url("binance_usdm", symbol), frames.snapshot(sequence, bids, asks, True))]

    def delta(stands, sequence, bids, asks):
        return [("frame", frames.delta(stands + 1, sequence, stands, bids, asks, symbol))]

    return Row(
        venue="binance_usdm",
        symbol=symbol,
        snapshot=snapshot,
        delta=delta,
        other="ETHUSDT",
        named=row,
        captures=('binance_usdm/btcusdt_20240808', 'binance_usdm/multi_20210722'),
        not_again={
            '{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1568693103463': "2019: no id",
            '{"stream":"btcusdt@markPrice","data":{"e":"markPriceUpdate","E":1569888003001': "2019: no settlement",
            '{"stream":"btcusdt@trade","data":{"e":"trade","E":1574381164089': "2019: no kind of order",
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
