"""OKX: its channels and streams by name, requests for them, and what the venue answers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from feeds.venue import (
    Answer,
    Control,
    Stream,
    UnsupportedChannel,
    check_known,
    frame_text,
    read_object,
    read_url,
    request_number,
)

CHANNELS = {
    "book": "order book: 400 levels by deltas, every 100 ms, or the first 5 whole with depth=5",
    "quotes": "best bid and offer, every 10 ms",
    "trades": "trades, fills of one taker at one price taken together",
    "all_trades": "every fill",
    "ticker": "statistics of the last 24 hours, 100 ms; of options also greeks and volatilities",
    "mark": "mark price, index price (under the index's own name, such as BTC-USD) and, of swaps, funding",
    "open_interest": "contracts that are open",
    "liquidations": "forced orders of all instruments of a type",
}

PLAIN = {"quotes": "bbo-tbt", "trades": "trades", "all_trades": "trades-all", "ticker": "tickers"}
ARGUMENT = {"opt-summary": "instFamily", "liquidation-orders": "instType"}      # all others: instId

# https://web3.okx.com/onchainos/dev-docs/market/websocket-error-code, a stored copy read on 2026-11-22: please log in,
# only for the whitelist, too frequent, wrong address or channel.
REASONS = {"60011": "authorisation", "60029": "authorisation", "60014": "rate_limit", "60018": "bad_symbol"}

# "Wrong URL or channel:books,instId:NOPE-USDT doesn't exist. Please use the correct URL, channel and parameters ..."
REFUSED = re.compile(r"channel:([\w-]+),(?:instId|instFamily|instType):([\w-]+)")


def names_of(symbol: str, channel: str, book: str) -> list[tuple[str, str]]:
    """[(stream, symbol that its messages name)] of a channel of a symbol; UnsupportedChannel if it has none."""
    parts = symbol.split("-")
    if channel == "book":
        return [(f"{book}:{symbol}", symbol)]
    if channel in PLAIN:
        greeks = [(f"opt-summary:{parts[0]}-{parts[1]}", symbol)] if channel == "ticker" and len(parts) == 5 else []
        return [(f"{PLAIN[channel]}:{symbol}", symbol), *greeks]
    if len(parts) < 3:
        known = ", ".join(["book", *PLAIN])
        raise UnsupportedChannel(f"okx has no channel {channel!r} for {symbol}, which is spot; it has: {known}")
    if channel == "open_interest":
        return [(f"open-interest:{symbol}", symbol)]
    is_swap = symbol.endswith("-SWAP")
    if channel == "liquidations":
        return [(f"liquidation-orders:{'SWAP' if is_swap else 'FUTURES' if len(parts) == 3 else 'OPTION'}", symbol)]
    index = f"{parts[0]}-{parts[1].partition('_')[0]}"      # BTC-USD, of BTC-USD_UM_XPERP-310404 too
    funding = [(f"funding-rate:{symbol}", symbol)] if is_swap else []
    return [(f"mark-price:{symbol}", symbol), (f"index-tickers:{index}", index), *funding]


def streams(symbols: Sequence[str], channels: Sequence[str], depth: int | None, speed: str | None,
            market: str) -> list[Stream]:
    """Streams of `symbols` x `channels`; depth and speed concern the channel "book" only."""
    check_known("okx", "book of depth", depth, (None, 5, 400), "5, and 400 (or None) by deltas")
    check_known("okx", "speed", speed, (None, "100ms"), "100ms (10ms needs a login)")
    return list(dict.fromkeys(
        Stream(name, "business" if channel == "all_trades" else "public", named, channel,
               5 if channel == "book" and depth == 5 else 0)
        for symbol in map(str.upper, symbols) for channel in channels
        for name, named in names_of(symbol, channel, "books5" if depth == 5 else "books")))


def request(word: str, names: Sequence[str], request_id: int) -> list[str]:
    # {"id":"1512","op":"subscribe","args":[{"channel":"books","instId":"BTC-USDT"}]}
    # {"op":"unsubscribe","args":[{"channel":"books","instId":"BTC-USDT"}]}
    named = [name.partition(":") for name in names]
    args = [{"channel": channel, ARGUMENT.get(channel, "instId"): value} for channel, _, value in named]
    return [frame_text({**({"id": str(request_id)} if word == "subscribe" else {}), "op": word, "args": args})]


def read_control(payload: bytes) -> Control:
    """Classify a frame that is not market data; never raises.

    {"event":"subscribe","arg":{"channel":"books5","instId":"BTC-USDT"},"connId":"bd21fccc"}     an ack, one per arg
    {"event":"error","code":"60018","msg":"Wrong URL or channel:...","connId":"a4d3ae55"}        an error
    {"event":"notice","code":"64008","msg":"The connection will soon be closed ...","connId":"a4d3ae55"}    reconnect
    pong                                                                                         the answer to ping
    """
    text, message = read_object(payload)
    if text.strip() == "pong":
        return Control("pong")
    event, code, arg = message.get("event"), str(message.get("code", "")) or None, message.get("arg")
    words = str(message.get("msg", text))
    if event in ("subscribe", "unsubscribe"):
        names: tuple[str, ...] = ()
        if isinstance(arg, dict):
            channel = str(arg.get("channel"))
            names = (f"{channel}:{arg.get(ARGUMENT.get(channel, 'instId'))}",)
        return Control("ack", text=text, streams=names)
    if event == "error":
        found = REFUSED.search(words)
        return Control("error", None if found else request_number(message.get("id")), code, words,
                       (f"{found[1]}:{found[2]}",) if found else (), reason=REASONS.get(code, ""))
    return Control("shutdown" if event == "notice" and code == "64008" else "other", None, code, words)


def read_address(url: str) -> Answer | None:
    """What a REST answer from `url` is; None if it is of no use."""
    path, query = read_url(url)
    if path == "/api/v5/market/books":            # of one level, if it does not say how many
        return Answer("snapshot", query.get("instId", ""), request_number(query.get("sz")) or 1)
    return Answer("instruments") if path == "/api/v5/public/instruments" else None
