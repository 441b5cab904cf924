"""Bitfinex: its channels and streams by name, requests for them, and what the venue answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from feeds.venue import Answer, Control, Stream, UnsupportedChannel, check_known, frame_text, read_object

CHANNELS = {
    "book": "order book by deltas (P0), the best 1, 25, 100 or 250 levels a side (the most if no depth is given)",
    "trades": "every trade, in real time",
    "ticker": "statistics of the last 24 hours",
    "mark": "mark price, index price and funding of a perpetual (tBTCF0:USTF0), every few seconds",
    "open_interest": "open interest of a perpetual, with the mark price",
    "liquidations": "liquidations of all perpetuals",
}

DEPTHS = (1, 25, 100, 250)
SPEEDS = {None: "F0", "realtime": "F0", "2s": "F1"}


def spelling(symbol: str) -> str:
    """tBTCUSD, tBTCF0:USTF0: a t and the pair. A name that begins with t or f and goes on in capitals is taken as it
    is; any other is put in capitals, with a t in front ("btcusd", "TRXUSD")."""
    if symbol[:1] in ("t", "f") and symbol[1:] != symbol[1:].lower():
        return symbol
    return "t" + symbol.upper()


def streams(symbols: Sequence[str], channels: Sequence[str], depth: int | None, speed: str | None,
            market: str) -> list[Stream]:
    """Streams of `symbols` x `channels`; channels that come in one stream share it."""
    check_known("bitfinex", "book of depth", depth, (None, *DEPTHS), ", ".join(map(str, DEPTHS)))
    check_known("bitfinex", "speed", speed, SPEEDS, "realtime, 2s")
    planned = []
    for symbol in map(spelling, symbols):
        names = {"book": f"book:{symbol}:P0:{SPEEDS[speed]}:{depth or max(DEPTHS)}",
                 "trades": f"trades:{symbol}", "ticker": f"ticker:{symbol}", "mark": f"status:deriv:{symbol}",
                 "open_interest": f"status:deriv:{symbol}", "liquidations": "status:liq:global"}
        for channel in channels:
            if channel in ("mark", "open_interest", "liquidations") and "F0" not in symbol:
                raise UnsupportedChannel(f"bitfinex has {channel} of perpetuals only (tBTCF0:USTF0), not of {symbol}; "
                                         "it has: book, trades, ticker")
            planned.append(Stream(names[channel], "public", symbol, channel))
    return planned


def subscribe(names: Sequence[str], request_id: int) -> list[str]:
    """One frame for each stream; the venue's answers carry no id of ours, they name the stream."""
    # {"event":"subscribe","channel":"book","symbol":"tBTCUSD","prec":"P0","freq":"F0","len":"100"}
    # {"event":"subscribe","channel":"trades","symbol":"tBTCUSD"}
    # {"event":"subscribe","channel":"status","key":"deriv:tBTCF0:USTF0"}
    frames = []
    for name in names:
        channel, rest = name.split(":", 1)
        request = {"event": "subscribe", "channel": channel}
        if channel == "book":
            request["symbol"], request["prec"], request["freq"], request["len"] = rest.rsplit(":", 3)
        else:
            request["key" if channel == "status" else "symbol"] = rest
        frames.append(frame_text(request))
    return frames


def unsubscribe(names: Sequence[str], request_id: int) -> list[str]:
    """By the chanId that the answer to the subscription told; a stream without one cannot be named."""
    # {"event":"unsubscribe","chanId":225206}
    return [f'{{"event":"unsubscribe","chanId":{name}}}' for name in names if name.isdecimal()]


def stream_of(message: dict[str, Any]) -> str:
    """Name of the stream that an answer is about."""
    channel, symbol = message.get("channel"), message.get("symbol")
    if channel == "book":
        return f"book:{symbol}:{message.get('prec', 'P0')}:{message.get('freq', 'F0')}:{message.get('len', 25)}"
    return f"{channel}:{message.get('key', symbol)}"


def read_control(payload: bytes) -> Control:
    """Classify a frame that is not market data; never raises.

    {"event":"info","version":2,"serverId":"...","platform":{"status":1}}     status 0 is maintenance
    {"event":"info","code":20051,"msg":"..."}        20051 connect anew, 20060 maintenance begins, 20061 it is over
    {"event":"conf","status":"OK","flags":196608}
    {"event":"subscribed","channel":"book","chanId":225206,"symbol":"tDOGUSD","prec":"P0","freq":"F0","len":"100",...}
    {"event":"unsubscribed","status":"OK","chanId":225206}
    {"channel":"book","symbol":"tNOPE","prec":"P0","len":"25","event":"error","msg":"symbol: invalid","code":10300,...}
    {"event":"pong","ts":1790134414850,"cid":1234}
    """
    text, message = read_object(payload)
    event, code, chan = message.get("event"), message.get("code"), str(message.get("chanId", ""))
    if event == "pong":
        return Control("pong", text=text)
    if event == "subscribed":
        return Control("ack", None, None, text, (stream_of(message),), handle=chan)
    if event == "unsubscribed":
        return Control("ack", None, None, text, (chan,))
    if event == "error":
        words = str(message.get("msg", text))
        names = (stream_of(message),) if "channel" in message else ()
        if code == 10301:                         # subscribed already: the stream runs
            return Control("ack", None, code, words, names, handle=chan)
        known = code == 10001 or (code == 10300 and words.startswith(("symbol", "key", "channel")))
        return Control("error", None, code, words, names, reason="bad_symbol" if known else "")
    if event == "info":
        platform = message.get("platform")
        if code == 20060 or (isinstance(platform, dict) and platform.get("status") == 0):
            return Control("error", None, code, str(message.get("msg", "the venue is in maintenance")),
                           reason="maintenance")
        if code in (20051, 20061):                # 20061: everything has to be subscribed again
            return Control("shutdown", None, code, text)
    return Control("other", text=text)


def read_address(url: str) -> Answer | None:
    # /v2/conf/pub:info:pair, /v2/conf/pub:list:pair:exchange; pub:list:pair:future in 2021
    return Answer("instruments") if "/conf/pub:info:pair" in url or "/conf/pub:list:pair:" in url else None
