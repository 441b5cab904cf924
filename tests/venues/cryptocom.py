"""Crypto.com's row: books of 50 levels by snapshot and updates."""

from __future__ import annotations

import json

from tests.venues import Pairs, Row


def levels(pairs: Pairs) -> list[list[str]]:
    return [[price, qty, "0" if float(qty) == 0 else "1"] for price, qty in pairs]


def frame(symbol: str, subscription: str, channel: str, *elements: dict, **more: object) -> bytes:
    """A frame of data; `more` are further keys before it."""
    result = {"instrument_name": symbol, "subscription": subscription, "channel": channel, **more,
              "data": list(elements)}
    return json.dumps({"id": -1, "method": "subscribe", "code": 0, "result": result}, separators=(",", ":")).encode()


def book(symbol: str, previous: int | None, sequence: int, bids: Pairs, asks: Pairs, depth: int = 50) -> bytes:
    """A frame of the book; `previous` None: a snapshot."""
    sides = {"asks": levels(asks), "bids": levels(bids)}
    times = {"t": 1790114273495, "tt": 1790114273490, "u": sequence}
    if previous is None:
        return frame(symbol, f"book.{symbol}.{depth}", "book", {**sides, **times, "cs": -1183713967}, depth=depth)
    return frame(symbol, f"book.{symbol}.{depth}", "book.update",
                 {"update": sides, **times, "pu": previous, "cs": 123}, depth=depth)


def row(symbol: str) -> Row:
    return Row(
        venue="cryptocom",
        symbol=symbol,
        snapshot=lambda sequence, bids, asks: [("frame", book(symbol, None, sequence, bids, asks))],
        delta=lambda stands, sequence, bids, asks: [("frame", book(symbol, stands, sequence, bids, asks))],
        other="ETHUSD-PERP",
        named=row,
        requests=(              # with the time of the tests as nonce
            (("BTCUSD-PERP", "ETHUSD-PERP"), ("book",), {},
             ('{"id":1,"method":"subscribe","params":{"channels":["book.BTCUSD-PERP.50","book.ETHUSD-PERP.50"],'
              '"book_subscription_type":"SNAPSHOT_AND_UPDATE","book_update_frequency":10},"nonce":1748572393000}',)),
            (("btc_usd",), ("ticker", "trades", "quotes"), {},
             ('{"id":1,"method":"subscribe","params":{"channels":["ticker.BTC_USD","trade.BTC_USD"]},'
              '"nonce":1748572393000}',)),
            (("BTC_USD",), ("book",), {"depth": 150},
             ('{"id":1,"method":"subscribe","params":{"channels":["book.BTC_USD.150"],"book_subscription_type":'
              '"SNAPSHOT"},"nonce":1748572393000}',)),
        ),
        controls={
            '{"id":1,"method":"subscribe","code":0,"channel":"book.BTCUSD-PERP.50"}': ("ack", None, ""),
            '{"id":1,"code":0,"method":"subscribe"}': ("ack", None, ""),
            '{"id":3,"method":"unsubscribe","code":0,"channel":"book.BTCUSD-PERP.50"}': ("ack", None, ""),
            '{"id":1,"method":"subscribe","code":40003,"message":"Unknown symbol","channel":"book.NOPE.50"}':
                ("error", 40003, "bad_symbol"),
            '{"id":1,"method":"subscribe","code":40107,"message":"Maximum subscriptions exceeded"}':
                ("error", 40107, "rate_limit"),
            '{"id":1790114291578,"method":"public/heartbeat","code":0}': ("ping", None, ""),
        },
        trades={
            # "`s` `BUY`/`SELL` aggressor"
            '{"id":-1,"method":"subscribe","code":0,"result":{"instrument_name":"BTCUSD-PERP","subscription":'
            '"trade.BTCUSD-PERP","channel":"trade","data":[{"d":"4611686018438397540","t":1686131219384,"p":"31603.5",'
            '"q":"0.1000","s":"BUY","i":"BTCUSD-PERP"}]}}': (31603.5, 0.1, "buy"),
            '{"id":-1,"code":0,"method":"subscribe","result":{"channel":"trade","subscription":"trade.BTC_USDT",'
            '"instrument_name":"BTC_USDT","data":[{"d":"4611686018428108636","t":1667320314770,"p":"20432.51",'
            '"q":"0.01163","s":"SELL","i":"BTC_USDT"}]}}': (20432.51, 0.01163, "sell"),
        },
        quotes={
            '{"id":-1,"method":"subscribe","code":0,"result":{"channel":"ticker","instrument_name":"APEUSD-PERP",'
            '"subscription":"ticker.APEUSD-PERP","id":-1,"data":[{"h":"4.7743","l":"4.6082","a":"4.6121","c":"-0.0144",'
            '"b":"4.6121","bs":"25","k":"4.6148","ks":"131","i":"APEUSD-PERP","v":"123899","vv":"580747.59",'
            '"oi":"55851","t":1667320303754}]}}': (4.6121, 25.0, 4.6148, 131.0),
            '{"id":-1,"method":"subscribe","code":0,"result":{"channel":"ticker","instrument_name":"APEUSD-PERP",'
            '"subscription":"ticker.APEUSD-PERP","id":-1,"data":[{"h":null,"l":null,"a":null,"c":null,"b":null,'
            '"bs":null,"k":"4.6148","ks":"131","i":"APEUSD-PERP","v":"0","vv":"0","oi":"0","t":1667320303754}]}}':
                (0.0, 0.0, 4.6148, 131.0),
        },
    )


ROW = row("BTCUSD-PERP")
