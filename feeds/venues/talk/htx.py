"""HTX: its channels and streams by name, requests for them, and what the venue answers."""

from __future__ import annotations

from collections.abc import Sequence

from feeds.venue import (
    Answer,
    Control,
    Stream,
    check_each,
    error_code,
    frame_text,
    pick_book,
    read_object,
    read_url,
    request_number,
)

MARKETS = ("spot", "swap")
CHANNELS = {
    "book": "order book of 150 levels: spot mbp (depth=5, 20, 150, 400; 10: whole), swap high_freq (depth=20, 150); "
            "speed=1s: depth.step0, whole",
    "trades": "every trade",
    "quotes": "best bid and offer, in real time",
    "ticker": "statistics of the last 24 hours",
    "mark": "swap: mark price, index price (candles of the minute) and funding rate",
    "liquidations": "swap: forced orders",
}

# market -> channel -> (topic, root); roots of swaps are those of contracts settled in USDT
TOPICS = {
    "spot": {"trades": (("market.{}.trade.detail", "spot"),), "quotes": (("market.{}.bbo", "spot"),),
             "ticker": (("market.{}.detail", "spot"),)},
    "swap": {"trades": (("market.{}.trade.detail", "swap"),), "quotes": (("market.{}.bbo", "swap"),),
             "ticker": (("market.{}.detail", "swap"),),
             "mark": (("market.{}.mark_price.1min", "index"), ("market.{}.index.1min", "index"),
                      ("public.{}.funding_rate", "notices")),
             "liquidations": (("public.{}.liquidation_orders", "notices"),)},
}

# market -> (levels, speed) -> topic, root, depth of the book it fills
BOOKS = {
    "spot": {(150, ""): ("market.{}.mbp.150", "feed", 0), (5, ""): ("market.{}.mbp.5", "feed", 0),
             (20, ""): ("market.{}.mbp.20", "feed", 0), (400, ""): ("market.{}.mbp.400", "feed", 0),
             (10, ""): ("market.{}.mbp.refresh.10", "spot", 10), (150, "1s"): ("market.{}.depth.step0", "spot", 0)},
    "swap": {(150, ""): ("market.{}.depth.size_150.high_freq", "swap", 0),
             (20, ""): ("market.{}.depth.size_20.high_freq", "swap", 0),
             (150, "1s"): ("market.{}.depth.step0", "swap", 0)},
}


def streams(symbols: Sequence[str], channels: Sequence[str], depth: int | None, speed: str | None,
            market: str) -> list[Stream]:
    """Streams of `symbols` x `channels`; depth and speed concern the channel "book" only."""
    check_each(f"htx {market}", "channel", channels, ("book", *TOPICS[market]))
    topic, root, levels = pick_book(f"htx {market}", BOOKS[market], depth, speed)
    planned = []
    for typed in symbols:
        symbol = swap_spelling(typed) if market == "swap" else spot_spelling(typed)
        coin = "coin_" if market == "swap" and symbol.endswith("-USD") else ""
        for channel in channels:
            for text, where in ((topic, root),) if channel == "book" else TOPICS[market][channel]:
                planned.append(Stream(text.format(symbol), where if where == "index" else coin + where, symbol, channel,
                                      levels if channel == "book" else 0, market))
    return planned


def spot_spelling(symbol: str) -> str:
    """btcusdt."""
    return symbol.lower().replace("-", "").replace("/", "").replace("_", "")


def swap_spelling(symbol: str) -> str:
    """BTC-USDT."""
    return symbol.upper().replace("/", "-").replace("_", "-")


def spelling(symbol: str) -> str:
    """Spot is written without a separator, a swap with one."""
    return swap_spelling(symbol) if "-" in symbol else spot_spelling(symbol)


def ask(word: str, names: Sequence[str], request_id: int) -> list[str]:
    # {"sub":"market.btcusdt.mbp.400","id":"1"}   {"unsub":"market.btcusdt.mbp.400","id":"8"}
    # {"sub":"market.BTC-USDT.depth.size_150.high_freq","data_type":"incremental","id":"1"}
    # {"op":"sub","cid":"1","topic":"public.BTC-USDT.funding_rate"}
    changes = {"data_type": "incremental"}
    return [frame_text({"op": word, "cid": str(request_id), "topic": name} if name.startswith("public.") else
                       {word: name, **(changes if word == "sub" and name.endswith(".high_freq") else {}),
                        "id": str(request_id)}) for name in names]


def request(name: str, request_id: int) -> str:
    """Ask for the whole book of a stream of changes, on the connection that has them; "" for the other books."""
    # {"req":"market.btcusdt.mbp.400","id":"2"}
    return ask("req", [name], request_id)[0] if ".mbp." in name and ".refresh." not in name else ""


def read_control(payload: bytes) -> Control:
    """Classify a frame that is not market data; never raises.

    {"ping":1618678073643}                  {"op":"ping","ts":"1618678073643"}          to be answered
    {"id":"1","status":"ok","subbed":"market.trioeth.depth.step0","ts":1618678073643}   an ack; unsubbed: the other
    {"op":"sub","cid":"1","topic":"public.BTC-USDT.funding_rate","ts":1790134831873,"err-code":0}
    {"status":"error","ts":1618678073643,"id":"1","err-code":"bad-request","err-msg":"invalid topic market.NOPE.depth"}
    """
    text, message = read_object(payload)
    op = message.get("op")
    if "ping" in message:
        return Control("ping", text=text, reply=frame_text({"pong": message["ping"]}))
    if op == "ping":
        return Control("ping", text=text, reply=frame_text({"op": "pong", "ts": message.get("ts")}))
    request_id = request_number(message.get("id", message.get("cid")))
    topic = message.get("subbed", message.get("unsubbed", message.get("topic")))
    named: tuple[str, ...] = (topic,) if isinstance(topic, str) and request_id is None else ()
    code = message.get("err-code", 0)
    if message.get("status") == "error" or code != 0:
        words = str(message.get("err-msg", text))
        if request_id is None:
            named = named or tuple(word for word in words.split() if word.startswith("market."))
        return Control("error", request_id, error_code(code), words, named,
                       reason="bad_symbol" if "invalid" in words else "")
    if op in ("sub", "unsub") or "subbed" in message or "unsubbed" in message:
        return Control("ack", request_id, None, text, named)
    return Control("other", text=text)


def read_address(url: str) -> Answer | None:
    """What an answer from this address is. Books by REST have no number that the stream's could be joined to."""
    path, _ = read_url(url)
    if path.endswith(("/common/symbols", "/market-symbols")):
        return Answer("instruments", market="spot")
    return Answer("instruments", market="swap") if path.endswith("/swap_contract_info") else None
