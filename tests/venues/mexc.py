"""MEXC: frames of the tests' choice, and what the venue's sheet prints. ROW is spot, CONTRACT the other market."""

from __future__ import annotations

import json
from dataclasses import replace

from tests import protobuf
from tests.venues import Pairs, Row

SENT = 1736411507002        # ms

# The sheet's worked frame, made with code generated from the official schema.
WORKED = bytes.fromhex(
    "0a2f73706f74407075626c69632e61676772652e64657074682e76332e6170692e7062403130306d73404254"
    "43555344541a074254435553445430bad2c3d1c432ca136c0a160a0839323837372e3538120a302e30303030"
    "30303030120f0a0839323837302e30301203302e351a2773706f74407075626c69632e61676772652e646570"
    "74682e76332e6170692e7062403130306d73220b31303538393633323335392a0b3130353839363332333630")


def push(channel: str, symbol: str, body: int, fields: list[protobuf.Field], sent: int = SENT) -> bytes:
    """A frame of spot: the wrapper, and a body inside."""
    return protobuf.message((1, channel), (3, symbol), (6, sent), (body, fields))


def depth(symbol: str, first: int, last: int, bids: Pairs, asks: Pairs) -> bytes:
    """Changes of a spot book."""
    topic = "spot@public.aggre.depth.v3.api.pb@100ms"
    return push(f"{topic}@{symbol}", symbol, 313, [
        *protobuf.pairs(1, asks), *protobuf.pairs(2, bids), (3, topic), (4, str(first)), (5, str(last))])


def deals(symbol: str, *listed: tuple[str, str, int, int]) -> bytes:
    """Trades of spot: (price, qty, tradeType, time)."""
    topic = "spot@public.aggre.deals.v3.api.pb@100ms"
    items: list[protobuf.Field] = [(1, [(1, price), (2, qty), (3, kind), (4, time)])
                                   for price, qty, kind, time in listed]
    return push(f"{topic}@{symbol}", symbol, 314, [*items, (2, topic)])


def row_of(symbol: str) -> Row:
    """The row, with frames of this symbol."""

    def snapshot(sequence: int, bids: Pairs, asks: Pairs) -> list[tuple]:
        body = {"lastUpdateId": sequence - 1, "bids": [list(level) for level in bids],
                "asks": [list(level) for level in asks], "timestamp": SENT}
        url = f"https://api.mexc.com/api/v3/depth?symbol={symbol}&limit=5000"
        return [("rest", url, json.dumps(body).encode()), ("frame", depth(symbol, sequence, sequence, [], []))]

    def delta(last: int, sequence: int, bids: Pairs, asks: Pairs) -> list[tuple]:
        return [("frame", depth(symbol, last + 1, sequence, bids, asks))]

    return Row(venue="mexc", symbol=symbol, snapshot=snapshot, delta=delta, market="spot")


def contract_depth(symbol: str, first: int | None, last: int, bids: Pairs, asks: Pairs) -> bytes:
    """Changes of a contract's book; `first` None: not merged."""
    levels = {side: "[" + ",".join(f"[{price},{qty},1]" for price, qty in pairs) + "]"
              for side, pairs in (("asks", asks), ("bids", bids))}
    merged = f'"end":{last},"begin":{first},' if first is not None else ""
    return (f'{{"symbol":"{symbol}","data":{{"cts":1789498405531,"asks":{levels["asks"]},"bids":{levels["bids"]},'
            f'{merged}"version":{last}}},"channel":"push.depth","ts":1789498405540}}').encode()


def contract_of(symbol: str) -> Row:
    """The row of the contracts, with frames of this symbol."""

    def snapshot(sequence: int, bids: Pairs, asks: Pairs) -> list[tuple]:
        sides = {side: [[float(price), float(qty), 1] for price, qty in pairs]
                 for side, pairs in (("asks", asks), ("bids", bids))}
        body = {"success": True, "code": 0, "data": {**sides, "version": sequence - 1, "timestamp": 1654326901060}}
        url = f"https://api.mexc.com/api/v1/contract/depth/{symbol}?limit=1000"
        return [("rest", url, json.dumps(body).encode()),
                ("frame", contract_depth(symbol, sequence, sequence, [], []))]

    def delta(last: int, sequence: int, bids: Pairs, asks: Pairs) -> list[tuple]:
        return [("frame", contract_depth(symbol, last + 1, sequence, bids, asks))]

    return Row(venue="mexc", symbol=symbol, snapshot=snapshot, delta=delta, market="contract")


OLD_SPOT = "spot's JSON of 2021 and 2022, which the venue no longer sends"
DECODED = "a protobuf frame that its source has decoded: tests/feeds/venues/test_mexc.py reads it as it was on the wire"

ROW = replace(
    row_of("BTCUSDT"),
    other="ETHUSDT",
    named=row_of,
    unread={
        '{"symbol":"BTC_USDT","data":{"deals":': OLD_SPOT,
        '{"symbol":"BTC_USDT","data":{"version":"672257402"': OLD_SPOT,
        '["push.symbol",': OLD_SPOT,
        '{"code":200,"data":{"asks":[{"price"': "an answer of the REST interface of 2022",
        '{"success":true,"code":0,"data":{"asks":': "a REST answer, not a frame: Parser.parse_rest reads it",
        '{"channel":"spot@': DECODED,
    },
    requests=(
        (("BTCUSDT",), ("book", "quotes", "trades"), {"market": "spot"},
         ('{"method":"SUBSCRIPTION","params":["spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT",'
          '"spot@public.aggre.bookTicker.v3.api.pb@100ms@BTCUSDT",'
          '"spot@public.aggre.deals.v3.api.pb@100ms@BTCUSDT"],"id":1}',)),
        (("BTCUSDT",), ("book",), {"depth": 20},
         ('{"method":"SUBSCRIPTION","params":["spot@public.limit.depth.v3.api.pb@BTCUSDT@20"],"id":1}',)),
        (("BTCUSDT",), ("book",), {"speed": "10ms"},
         ('{"method":"SUBSCRIPTION","params":["spot@public.aggre.depth.v3.api.pb@10ms@BTCUSDT"],"id":1}',)),
        (("BTC_USDT",), ("book", "trades", "ticker", "mark"), {"market": "contract"},
         ('{"method":"sub.depth","param":{"symbol":"BTC_USDT"}}', '{"method":"sub.deal","param":{"symbol":"BTC_USDT"}}',
          '{"method":"sub.ticker","param":{"symbol":"BTC_USDT"}}',
          '{"method":"sub.fair.price","param":{"symbol":"BTC_USDT"}}',
          '{"method":"sub.index.price","param":{"symbol":"BTC_USDT"}}',
          '{"method":"sub.funding.rate","param":{"symbol":"BTC_USDT"}}')),
        (("BTC_USDT",), ("book",), {"market": "contract", "speed": "0ms"},
         ('{"method":"sub.depth","param":{"symbol":"BTC_USDT","compress":false}}',)),
        (("BTC_USDT",), ("book",), {"market": "contract", "depth": 20},
         ('{"method":"sub.depth.full","param":{"symbol":"BTC_USDT","limit":20}}',)),
    ),
    controls={
        '{"id":1,"code":0,"msg":"spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT"}': ("ack", None, ""),
        '{"id":0,"code":0,"msg":"Not Subscribed successfully! [spot@public.aggre.depth.v3.api.pb@100ms@NOPE].  '
        'Reason： Blocked! "}': ("error", 0, "bad_symbol"),
        '{"id":0,"code":0,"msg":"PONG"}': ("pong", None, ""),
        '{"channel":"rs.sub.depth","data":"success","ts":1789498405531}': ("ack", None, ""),
        '{"channel":"rs.unsub.depth","data":"success","ts":1789498405531}': ("ack", None, ""),
        '{"channel":"rs.error","data":"Contract [NOPE_USDT] not exists","ts":1789498405531}':
            ("error", None, "bad_symbol"),
        '{"channel":"pong","data":1789498405531}': ("pong", None, ""),
    },
    trades={
        '{"symbol":"BTC_USDT","data":[{"p":84143.1,"v":120,"T":1,"O":3,"M":2,"t":1789498405531,"i":"13064218826",'
        '"cts":1789498405531}],"channel":"push.deal","ts":1789498405540}': (84143.1, 120, "buy"),
        '{"channel":"push.deal","data":{"M":1,"O":3,"T":2,"p":39766.5,"t":1646999591755,"v":32},"symbol":"BTC_USDT",'
        '"ts":1646999591755}': (39766.5, 32, "sell"),
    },
)

CONTRACT = replace(contract_of("BTC_USDT"), other="DOGE_USDT", named=contract_of)
