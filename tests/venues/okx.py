"""OKX's row: frames as the venue sends them today, with seqId and a checksum of 0."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import zip_longest
from zlib import crc32

from tests.venues import Pairs, Row


def levels(pairs: Pairs) -> list[list[str]]:
    return [[price, qty, "0", "0" if float(qty) == 0 else "1"] for price, qty in pairs]


def book(symbol: str, action: str, previous: int, sequence: int, bids: Pairs, asks: Pairs, **more: object) -> bytes:
    """A frame of the channel `books`; `more` are further keys of its element, in place of those it has."""
    element = {"asks": levels(asks), "bids": levels(bids), "ts": "1787612486307", "checksum": 0, "seqId": sequence,
               "prevSeqId": previous, **more}
    frame = {"arg": {"channel": "books", "instId": symbol}, "action": action, "data": [element]}
    return json.dumps(frame, separators=(",", ":")).encode()


class Checked:
    """What the venue held of one symbol in 2022 and 2023, and its frames: no seqId, a CRC-32 of the best 25 levels."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.sides: tuple[dict[Decimal, tuple[str, str]], dict[Decimal, tuple[str, str]]] = ({}, {})

    def frame(self, action: str, bids: Pairs, asks: Pairs) -> list[tuple[str, bytes]]:
        for side, pairs in zip(self.sides, (bids, asks), strict=True):
            for price, qty in pairs:
                if Decimal(qty):
                    side[Decimal(price)] = price, qty
                else:
                    side.pop(Decimal(price), None)
        best = [[side[key] for key in sorted(side, reverse=not i)[:25]] for i, side in enumerate(self.sides)]
        texts = [number for pair in zip_longest(*best) for level in pair if level for number in level]
        value = crc32(":".join(texts).encode())
        element = {"asks": levels(asks), "bids": levels(bids), "ts": "1652459186401",
                   "checksum": value - (1 << 32) if value >> 31 else value}
        message = {"arg": {"channel": "books", "instId": self.symbol}, "action": action, "data": [element]}
        return [("frame", json.dumps(message, separators=(",", ":")).encode())]

    def snapshot(self, sequence: int, bids: Pairs, asks: Pairs) -> list[tuple[str, bytes]]:
        for side in self.sides:
            side.clear()
        return self.frame("snapshot", bids, asks)

    def delta(self, stands: int, sequence: int, bids: Pairs, asks: Pairs) -> list[tuple[str, bytes]]:
        return self.frame("update", bids, asks)


def row(symbol: str) -> Row:
    return Row(
        venue="okx",
        symbol=symbol,
        snapshot=lambda sequence, bids, asks: [("frame", book(symbol, "snapshot", -1, sequence, bids, asks))],
        delta=lambda stands, sequence, bids, asks: [("frame", book(symbol, "update", stands, sequence, bids, asks))],
        other="ETH-USDT-SWAP",
        named=row,
        captures=("okx/books_20220513", "okx/okcoin_20230527"),
        unread={
            '{"table":': "v3 of the API, which v5 replaced; no capture of it",
            '{"code":"0"': "answers of REST, not frames of a stream",
            '{"arg":{"channel":"sprd-': "spreads between two instruments, another market",
        },
        requests=(
            (("BTC-USDT",), ("book",), {},
             ('{"id":"1","op":"subscribe","args":[{"channel":"books","instId":"BTC-USDT"}]}',)),
            (("btc-usdt-swap",), ("trades", "quotes"), {},
             ('{"id":"1","op":"subscribe","args":[{"channel":"trades","instId":"BTC-USDT-SWAP"},'
              '{"channel":"bbo-tbt","instId":"BTC-USDT-SWAP"}]}',)),
            (("BTC-USDT",), ("book",), {"depth": 5},
             ('{"id":"1","op":"subscribe","args":[{"channel":"books5","instId":"BTC-USDT"}]}',)),
            (("BTC-USDT-SWAP", "ETH-USDT-SWAP"), ("liquidations",), {},
             ('{"id":"1","op":"subscribe","args":[{"channel":"liquidation-orders","instType":"SWAP"}]}',)),
        ),
        controls={
            '{"event":"subscribe","arg":{"channel":"books5","instId":"BTC-USDT"},"connId":"bd21fccc"}':
                ("ack", None, ""),
            '{"event":"unsubscribe","arg":{"channel":"books","instId":"BTC-USDT"},"connId":"bd21fccc"}':
                ("ack", None, ""),
            '{"event":"error","code":"60012","msg":"Invalid request: ...","connId":"a4d3ae55"}': ("error", "60012", ""),
            '{"event":"error","msg":"Wrong URL or channel:books,instId:NOPE-USDT doesn\'t exist. Please use the '
            'correct URL, channel and parameters referring to API document.","code":"60018","connId":"25ebf8bb"}':
                ("error", "60018", "bad_symbol"),
            '{"event":"error","code":"60011","msg":"Please log in","connId":"a4d3ae55"}':
                ("error", "60011", "authorisation"),
            '{"event":"error","code":"60014","msg":"Requests too frequent","connId":"a4d3ae55"}':
                ("error", "60014", "rate_limit"),
            '{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade. Please '
            'reconnect.","connId":"a4d3ae55"}': ("shutdown", "64008", ""),
            "pong": ("pong", None, ""),
        },
        trades={
            # "taker side [REC: 46 buys at the ask, 25 sells at the bid, 0 against]"
            '{"arg":{"channel":"trades","instId":"BTC-USD-220527"},"data":[{"instId":"BTC-USD-220527","tradeId":"7849",'
            '"px":"30218.8","sz":"1","side":"buy","ts":"1652459199958"}]}': (30218.8, 1.0, "buy"),
            '{"arg":{"channel":"trades-all","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"1057206154",'
            '"px":"77116.5","sz":"0.000011","side":"sell","ts":"1789470162718"}]}': (77116.5, 0.000011, "sell"),
        },
        quotes={
            '{"arg":{"channel":"bbo-tbt","instId":"BTC-USDT"},"data":[{"asks":[["31774.7","0.14368878","0","3"]],'
            '"bids":[["31774.6","0.3392211","0","3"]],"ts":"1654032991947","seqId":363996337}]}':
                (31774.6, 0.3392211, 31774.7, 0.14368878),
            '{"arg":{"channel":"bbo-tbt","instId":"BTC-USDT"},"data":[{"asks":[["31774.7","0.14368878","0","3"]],'
            '"bids":[],"ts":"1654032991947"}]}': (0.0, 0.0, 31774.7, 0.14368878),
        },
    )


ROW = row("BTC-USDT")


def old_row(symbol: str) -> Row:
    market = Checked(symbol)
    return Row(venue="okx", symbol=symbol, snapshot=market.snapshot, delta=market.delta, other="ETH-USDT-SWAP",
               named=old_row)


OLD_ROW = old_row("BTC-USDT")
