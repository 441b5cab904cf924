"""BitMEX's row: rows with an id, price and times, as they are sent today."""

from __future__ import annotations

from decimal import Decimal

from tests.venues import Pairs, Row


def number(price: str) -> int:
    """The id of a level; those of the tests follow from its price."""
    return int(Decimal(price) * 10**8)


def entry(symbol: str, side: str, price: str, qty: str) -> str:
    """One row."""
    return (f'{{"symbol":"{symbol}","id":{number(price)},"side":"{side}","size":{qty},'
            f'"price":{price},"timestamp":"2024-11-24T08:26:22.356Z","transactTime":"2024-11-24T08:26:22.275Z"}}')


def rows(action: str, *entries: str, table: str = "orderBookL2") -> bytes:
    """A frame with these rows."""
    return f'{{"table":"{table}","action":"{action}","data":[{",".join(entries)}]}}'.encode()


def changes(symbol: str, bids: Pairs, asks: Pairs) -> list[tuple]:
    """Steps that remove the levels of quantity 0 and set the others."""
    sides = [("Buy", *pair) for pair in bids] + [("Sell", *pair) for pair in asks]
    gone = [entry(symbol, side, price, "1") for side, price, qty in sides if Decimal(qty) == 0]
    there = [entry(symbol, side, price, qty) for side, price, qty in sides if Decimal(qty) != 0]
    return [("frame", rows(action, *entries)) for action, entries in (("delete", gone), ("insert", there)) if entries]


def partial(symbol: str, bids: Pairs, asks: Pairs) -> bytes:
    """The whole book."""
    entries = [entry(symbol, "Sell", *pair) for pair in asks] + [entry(symbol, "Buy", *pair) for pair in bids]
    return (f'{{"table":"orderBookL2","action":"partial","keys":["symbol","id","side"],"types":{{"symbol":"symbol",'
            f'"id":"long","side":"symbol","size":"long","price":"float"}},"filter":{{"symbol":"{symbol}"}},'
            f'"data":[{",".join(entries)}]}}').encode()


def row(symbol: str) -> Row:
    return Row(
        venue="bitmex",
        symbol=symbol,
        snapshot=lambda sequence, bids, asks: [("frame", partial(symbol, bids, asks))],
        delta=lambda stands, sequence, bids, asks: changes(symbol, bids, asks),
        other="ETHUSD",
        named=row,
        sees_gaps=False,
        sees_old=False,
        captures=("bitmex/orderbookl2_20210722",),
        not_again={
            '{"table":"instrument","action":"partial"': "about a hundred columns, most of which no event keeps",
            '{"table":"orderBookL2","action":"delete","data":[{"symbol":"XBTUSD","id":8733748000':
                "rows of several times, of which the event keeps the first",
        },
        unread={
            '[{"symbol": "XBTUSD", "id"': "an answer of REST, not a frame of a stream",
            '{"table":"trade","action":"partial"': "the last trade before the subscription",
            '{"table":"tradeBin': "candles, known and of no use",
            '{"table":"liquidation","action":"delete"': "a forced order that is done; its insert was told",
        },
        requests=(
            (("XBTUSD",), ("book", "quotes", "trades", "ticker", "liquidations"), {},
             ('{"op":"subscribe","args":["orderBookL2:XBTUSD","quote:XBTUSD","trade:XBTUSD","instrument:XBTUSD",'
              '"liquidation:XBTUSD"]}',)),
            (("xbtusd",), ("book",), {"depth": 25}, ('{"op":"subscribe","args":["orderBookL2_25:XBTUSD"]}',)),
            (("XBTUSD",), ("book", "mark", "open_interest"), {"depth": 10},
             ('{"op":"subscribe","args":["orderBook10:XBTUSD","instrument:XBTUSD"]}',)),
        ),
        controls={
            '{"info":"Welcome to the BitMEX Realtime API.","version":"2021-07-14T01:26:29.000Z","timestamp":'
            '"2021-07-22T22:36:07.865Z","docs":"https://www.bitmex.com/app/wsAPI","limit":{"remaining":39}}':
                ("other", None, ""),
            '{"success":true,"subscribe":"orderBookL2:XRPU21","request":{"op":"subscribe","args":'
            '["orderBookL2:XRPU21"]}}': ("ack", None, ""),
            '{"success":true,"unsubscribe":"orderBookL2:XBTUSD","request":{"op":"unsubscribe","args":'
            '["orderBookL2:XBTUSD"]}}': ("ack", None, ""),
            '{"status":400,"error":"Unknown table: foo","meta":{},"request":{"op":"subscribe","args":["foo"]}}':
                ("error", 400, "bad_symbol"),
            '{"success":false,"subscribe":"orderBookL2_25:XBTUSD"}': ("error", None, "bad_symbol"),
            '{"status":429,"error":"Rate limit exceeded, retry in 1 seconds.","meta":{"retryAfter":1},"request":'
            '{"op":"subscribe","args":["trade:XBTUSD"]}}': ("error", 429, "rate_limit"),
            "pong": ("pong", None, ""),
        },
        trades={
            # "trade side = aggressor (V: 16 Buy at the ask, 0 against); missing for [...] Settlement rows"
            '{"table":"trade","action":"insert","data":[{"timestamp":"2024-11-24T08:15:38.704Z","symbol":"XBTUSD",'
            '"side":"Sell","size":100,"price":98570.9,"tickDirection":"ZeroPlusTick","trdMatchID":'
            '"00000000-006d-1000-0000-000e8737d536","grossValue":101450,"homeNotional":0.0010145,'
            '"foreignNotional":100.0,"trdType":"Regular"}]}': (98570.9, 100.0, "sell"),
            '{"table":"trade","action":"insert","data":[{"timestamp":"2021-03-12T01:46:03.886Z","symbol":"ETHH21",'
            '"side":"Buy","size":1,"price":0.03191,"tickDirection":"PlusTick","trdMatchID":'
            '"a9371640-78d6-53d9-c9e4-31f7b7afb06d","grossValue":3191000,"homeNotional":1,"foreignNotional":0.03191}]}':
                (0.03191, 1.0, "buy"),
            '{"table":"trade","action":"insert","data":[{"timestamp":"2023-01-27T12:00:00.000Z","symbol":"XBTF23",'
            '"size":1500,"price":22957.36,"tickDirection":"ZeroMinusTick","trdMatchID":'
            '"cea62111-3db1-2f9a-e03e-f0b6ae16695f","grossValue":6533850,"homeNotional":0.0653385,'
            '"foreignNotional":1500,"trdType":"Settlement"}]}': (22957.36, 1500.0, None),
        },
        quotes={
            '{"table":"quote","action":"insert","data":[{"timestamp":"2024-11-22T22:44:25.085Z","symbol":"BCHUSDT",'
            '"bidSize":103000,"bidPrice":487.55,"askPrice":488.25,"askSize":50000}]}':
                (487.55, 103000.0, 488.25, 50000.0),
            '{"table":"quote","action":"partial","data":[{"timestamp":"2024-11-22T22:44:25.085Z","symbol":"BCHUSDT",'
            '"bidSize":null,"bidPrice":null,"askPrice":9.111e-7,"askSize":50000}]}': (0.0, 0.0, 9.111e-7, 50000.0),
        },
    )


ROW = row("XBTUSD")
