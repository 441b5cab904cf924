"""Deribit's row: books of changes as the venue sends them today."""

from __future__ import annotations

from tests.venues import Pairs, Row


def levels(pairs: Pairs, word: str) -> str:
    return ",".join(f'["{"delete" if float(qty) == 0 else word}",{price},{qty}]' for price, qty in pairs)


def notice(channel: str, data: str) -> bytes:
    """A frame of `channel` with the text `data`."""
    return (f'{{"jsonrpc":"2.0","method":"subscription","params":{{"channel":"{channel}","data":{data}}}}}').encode()


def book(symbol: str, kind: str, previous: int | None, sequence: int, bids: Pairs, asks: Pairs) -> bytes:
    """A frame of the book; `kind` is "snapshot" or "change", `previous` None leaves prev_change_id out."""
    link = "" if previous is None else f'"prev_change_id":{previous},'
    word = "new" if kind == "snapshot" else "change"
    return notice(f"book.{symbol}.100ms",
                  f'{{"type":"{kind}","timestamp":1626993724318,{link}"instrument_name":"{symbol}",'
                  f'"change_id":{sequence},"bids":[{levels(bids, word)}],"asks":[{levels(asks, word)}]}}')


def row(symbol: str) -> Row:
    return Row(
        venue="deribit",
        symbol=symbol,
        snapshot=lambda sequence, bids, asks: [("frame", book(symbol, "snapshot", None, sequence, bids, asks))],
        delta=lambda stands, sequence, bids, asks: [("frame", book(symbol, "change", stands, sequence, bids, asks))],
        other="ETH-PERPETUAL",
        named=row,
        captures=("deribit/options_20210722",),
        not_again={
            '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"trades.option.any':
                "a stream of all options, which nobody asks for",
        },
        unread={
            '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"chart.': "candles, known and of no use",
            '{"jsonrpc":"2.0","result":': "answers of REST or to requests of others, taken as control frames",
        },
        requests=(
            (("BTC-PERPETUAL",), ("book", "trades", "quotes", "ticker"), {},
             ('{"jsonrpc":"2.0","id":1,"method":"public/subscribe","params":{"channels":["book.BTC-PERPETUAL.100ms",'
              '"trades.BTC-PERPETUAL.100ms","quote.BTC-PERPETUAL","ticker.BTC-PERPETUAL.100ms"]}}',)),
            (("btc-perpetual",), ("book",), {"depth": 20, "speed": "agg2"},
             ('{"jsonrpc":"2.0","id":1,"method":"public/subscribe","params":{"channels":'
              '["book.BTC-PERPETUAL.none.20.agg2"]}}',)),
            (("BTC-PERPETUAL",), ("ticker", "mark", "open_interest", "trades", "liquidations"), {"speed": "agg2"},
             ('{"jsonrpc":"2.0","id":1,"method":"public/subscribe","params":{"channels":["ticker.BTC-PERPETUAL.agg2",'
              '"trades.BTC-PERPETUAL.agg2"]}}',)),
        ),
        controls={
            '{"jsonrpc":"2.0","id":1,"result":["trades.BTC-PERPETUAL.100ms","book.BTC-PERPETUAL.100ms"],'
            '"usIn":1699999999000000,"usOut":1699999999001000,"usDiff":1000,"testnet":false}': ("ack", None, ""),
            '{"jsonrpc":"2.0","id":1,"result":[],"usIn":1,"usOut":2,"usDiff":1,"testnet":false}':
                ("error", None, "bad_symbol"),
            '{"jsonrpc":"2.0","id":1,"error":{"code":10028,"message":"too_many_requests","data":null}}':
                ("error", 10028, "rate_limit"),
            '{"jsonrpc":"2.0","id":1,"error":{"code":13778,"message":'
            '"raw_subscriptions_not_available_for_unauthorized"}}': ("error", 13778, "authorisation"),
            '{"jsonrpc":"2.0","id":1,"error":{"code":11051,"message":"system_maintenance"}}':
                ("error", 11051, "maintenance"),
            '{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}': ("pong", None, ""),
            '{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}': ("ping", None, ""),
            '{"jsonrpc":"2.0","id":0,"result":{"version":"1.2.26"},"testnet":false}': ("pong", None, ""),
            '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"platform_state",'
            '"data":{"maintenance":true}}}': ("error", None, "maintenance"),
        },
        trades={
            # "direction = taker side"
            '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"trades.BTC-PERPETUAL.100ms","data":'
            '[{"timestamp":1765531356452,"price":92294.5,"amount":10.0,"direction":"sell","index_price":92276.75,'
            '"instrument_name":"BTC-PERPETUAL","trade_seq":271252854,"mark_price":92287.11,"tick_direction":2,'
            '"contracts":1.0,"trade_id":"403691824"}]}}': (92294.5, 10.0, "sell"),
            '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"trades.BTC-26MAR21.raw","data":'
            '[{"trade_seq":5326971,"trade_id":"137486952","timestamp":1616321287195,"tick_direction":0,"price":56273.5,'
            '"mark_price":56243.86,"instrument_name":"BTC-26MAR21","index_price":56127.59,"direction":"buy",'
            '"amount":6000.0}]}}': (56273.5, 6000.0, "buy"),
        },
        quotes={
            '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"quote.BTC-PERPETUAL","data":'
            '{"timestamp":1765541767174,"instrument_name":"BTC-PERPETUAL","best_ask_price":92288.5,'
            '"best_bid_price":92288.0,"best_ask_amount":99470.0,"best_bid_amount":133440.0}}}':
                (92288.0, 133440.0, 92288.5, 99470.0),
            '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"quote.BTC-PERPETUAL","data":'
            '{"timestamp":1765541767174,"instrument_name":"BTC-PERPETUAL","best_ask_price":92288.5,'
            '"best_bid_price":null,"best_ask_amount":99470.0,"best_bid_amount":0.0}}}': (0.0, 0.0, 92288.5, 99470.0),
        },
    )


ROW = row("BTC-PERPETUAL")
