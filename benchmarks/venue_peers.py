"""Every venue's frames the way a user would take them today: orjson, and two sorted dicts of floats a book.

One class a venue, with the same work as the pipeline does on a frame: the message is decoded, its number or checksum
checked where the venue has one, every level applied and the best prices read; of trades, quotes and tickers all that
the pipeline takes is made a number. Nothing is written to be slow: levels go from the decoded lists into the dicts,
and a whole book is built by the dict itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any
from zlib import crc32

import orjson
from sortedcontainers import SortedDict


class Book:
    """One book: two sorted dicts of floats, and where its numbers stand."""

    __slots__ = ("asks", "best", "bids", "ids", "kept", "last", "live")

    def __init__(self) -> None:
        self.bids, self.asks = SortedDict(), SortedDict()
        self.last: Any = None
        self.live = False
        self.kept: list[dict] = []              # changes that came before the snapshot
        self.ids: dict = {}
        self.best: tuple = (None, None)

    def read_best(self) -> None:
        self.best = self.bids.peekitem(-1) if self.bids else None, self.asks.peekitem(0) if self.asks else None

    def replace(self, bids: Iterable[Sequence], asks: Iterable[Sequence]) -> None:
        """A whole book, levels as [price, qty, ...]."""
        self.bids = SortedDict((float(level[0]), float(level[1])) for level in bids)
        self.asks = SortedDict((float(level[0]), float(level[1])) for level in asks)
        self.live = True
        self.read_best()

    def apply(self, bids: Iterable[Sequence], asks: Iterable[Sequence]) -> None:
        """Changes, levels as [price, qty, ...]."""
        for side, levels in ((self.bids, bids), (self.asks, asks)):
            for level in levels:
                qty = float(level[1])
                if qty:
                    side[float(level[0])] = qty
                else:
                    side.pop(float(level[0]), None)
        self.read_best()

    def replace_texts(self, bids: Iterable[Sequence[str]], asks: Iterable[Sequence[str]]) -> None:
        """A whole book that keeps the venue's own texts, because a checksum is made of them."""
        self.bids = SortedDict((float(level[0]), level) for level in bids)
        self.asks = SortedDict((float(level[0]), level) for level in asks)
        self.live = True
        self.read_best()

    def apply_texts(self, bids: Iterable[Sequence[str]], asks: Iterable[Sequence[str]]) -> None:
        """Changes of such a book."""
        for side, levels in ((self.bids, bids), (self.asks, asks)):
            for level in levels:
                if float(level[1]):
                    side[float(level[0])] = level
                else:
                    side.pop(float(level[0]), None)
        self.read_best()

    def cut(self, depth: int) -> None:
        while len(self.bids) > depth:
            self.bids.popitem(0)
        while len(self.asks) > depth:
            self.asks.popitem(-1)

    def checksum_turns(self) -> int:
        """CRC-32, signed, of "bid:qty:ask:qty:..." of the best 25 levels (okx, bitget)."""
        bids, asks = list(islice(reversed(self.bids.values()), 25)), self.asks.values()[:25]
        out = []
        for i in range(max(len(bids), len(asks))):
            for side in (bids, asks):
                if i < len(side):
                    out += side[i][:2]
        value = crc32(":".join(out).encode())
        return value - (1 << 32) if value >> 31 else value


def book_of(books: dict[str, Book], symbol: str) -> Book:
    book = books.get(symbol)
    if book is None:
        book = books[symbol] = Book()
    return book


class Peer:
    """One venue: its books by symbol, and the values of the last trade, quote or ticker."""

    def __init__(self) -> None:
        self.books: dict[str, Book] = {}
        self.values: tuple = ()
        self.breaks = 0         # numbers or checksums that were not what they should be
        self.last: Any = None   # number of the connection

    def take(self, data: Any) -> None:
        """Take one decoded frame."""
        raise NotImplementedError

    def rest(self, url: str, data: Any) -> None:
        """Take a decoded REST answer."""
        raise NotImplementedError

    def feed_many(self, frames: list[bytes]) -> None:
        take, loads = self.take, orjson.loads
        for frame in frames:
            take(loads(frame))

    @property
    def levels(self) -> dict[str, tuple[int, int]]:
        return {symbol: (len(book.bids), len(book.asks)) for symbol, book in self.books.items() if book.live}


def ns(text: str) -> float:
    """A time in text, as a number."""
    return datetime.fromisoformat(text).timestamp()


class Okx(Peer):
    def take(self, data: dict) -> None:
        arg = data["arg"]
        channel = arg["channel"]
        for row in data["data"]:
            if channel == "books":
                book = book_of(self.books, arg["instId"])
                if "seqId" in row:
                    if data["action"] == "update" and row["prevSeqId"] != book.last:
                        self.breaks += 1
                    book.last = row["seqId"]
                whole = data["action"] == "snapshot"
                if not row["checksum"]:
                    (book.replace if whole else book.apply)(row["bids"], row["asks"])
                    continue
                (book.replace_texts if whole else book.apply_texts)(row["bids"], row["asks"])
                self.breaks += book.checksum_turns() != row["checksum"]
            elif channel == "trades":
                self.values = (float(row["px"]), float(row["sz"]), row["side"] == "buy", int(row["tradeId"]),
                               int(row["ts"]))
            else:
                self.values = (
                    float(row["last"]), float(row["lastSz"]), float(row["askPx"]), float(row["askSz"]),
                    float(row["bidPx"]), float(row["bidSz"]), float(row["open24h"]), float(row["high24h"]),
                    float(row["low24h"]), float(row["volCcy24h"]), float(row["vol24h"]), int(row["ts"]))


class Bybit(Peer):
    def take(self, data: dict) -> None:
        topic = data["topic"]
        if topic.startswith("orderbook."):
            rows = data["data"]
            book = book_of(self.books, rows["s"])
            if data["type"] == "snapshot":
                book.replace(rows["b"], rows["a"])
            else:
                self.breaks += rows["u"] != book.last + 1
                book.apply(rows["b"], rows["a"])
            book.last = rows["u"]
        elif topic.startswith("orderBookL2"):
            self.book_v2(topic.partition(".")[2], data)
        else:
            for row in data["data"]:
                self.values = (float(row["price"]), float(row["size"]), row["side"] == "Buy", row["trade_id"],
                               int(row["trade_time_ms"]))

    def book_v2(self, symbol: str, data: dict) -> None:
        book = book_of(self.books, symbol)
        number = int(data["cross_seq"])
        if data["type"] == "snapshot":
            rows = data["data"]["order_book"]
            book.bids = SortedDict((float(row["price"]), float(row["size"])) for row in rows if row["side"] == "Buy")
            book.asks = SortedDict((float(row["price"]), float(row["size"])) for row in rows if row["side"] == "Sell")
            book.live = True
        else:
            if number <= book.last:
                self.breaks += 1
            rows = data["data"]
            bids, asks = book.bids, book.asks
            for row in rows["delete"]:
                (bids if row["side"] == "Buy" else asks).pop(float(row["price"]), None)
            for row in rows["update"]:
                (bids if row["side"] == "Buy" else asks)[float(row["price"])] = float(row["size"])
            for row in rows["insert"]:
                (bids if row["side"] == "Buy" else asks)[float(row["price"])] = float(row["size"])
        book.last = number
        book.read_best()


class CoinbaseAdvanced(Peer):
    def take(self, data: dict) -> None:
        number = data["sequence_num"]
        if self.last is not None and number != self.last + 1:
            self.breaks += 1
        self.last = number
        if data["channel"] != "l2_data":
            return
        self.values = (ns(data["timestamp"]),)
        for event in data["events"]:
            book = book_of(self.books, event["product_id"])
            if event["type"] == "snapshot":
                book.bids, book.asks = SortedDict(), SortedDict()
                book.live = True
            for row in event["updates"]:
                side = book.bids if row["side"] == "bid" else book.asks
                qty = float(row["new_quantity"])
                if qty:
                    side[float(row["price_level"])] = qty
                else:
                    side.pop(float(row["price_level"]), None)
            book.read_best()


class CoinbaseExchange(Peer):
    def take(self, data: dict) -> None:
        kind = data["type"]
        if kind == "l2update":
            book = book_of(self.books, data["product_id"])
            for side, price, size in data["changes"]:
                levels = book.bids if side == "buy" else book.asks
                qty = float(size)
                if qty:
                    levels[float(price)] = qty
                else:
                    levels.pop(float(price), None)
            book.last = ns(data["time"])
            book.read_best()
        elif kind == "snapshot":
            book_of(self.books, data["product_id"]).replace(data["bids"], data["asks"])
        elif kind == "match":
            self.values = (float(data["price"]), float(data["size"]), data["side"] == "sell", data["trade_id"],
                           ns(data["time"]))
        elif kind == "ticker":
            self.values = (float(data["price"]), float(data["open_24h"]), float(data["volume_24h"]),
                           float(data["low_24h"]), float(data["high_24h"]), float(data["best_bid"]),
                           float(data["best_ask"]), float(data["last_size"]), data["sequence"], ns(data["time"]))


def plain_digits(level: Sequence[str]) -> str:
    return level[0].replace(".", "").lstrip("0") + level[1].replace(".", "").lstrip("0")


class Kraken(Peer):
    precision: dict[str, tuple[int, int]] = {"BTC/USD": (1, 8), "ETH/USD": (8, 8)}     # v2: of price and quantity

    def take(self, data: Any) -> None:
        if isinstance(data, list):
            self.take_v1(data)
        elif data.get("channel") == "book":
            for row in data["data"]:
                self.book_v2(data["type"], row)

    def book_v2(self, kind: str, row: dict) -> None:
        book = book_of(self.books, row["symbol"])
        bids = [(level["price"], level["qty"]) for level in row["bids"]]
        asks = [(level["price"], level["qty"]) for level in row["asks"]]
        if kind == "snapshot":
            book.replace(bids, asks)
        else:
            book.apply(bids, asks)
            book.cut(self.depth)
            self.values = (ns(row["timestamp"]),)
        price, qty = self.precision[row["symbol"]]
        text = "".join(
            f"{level[0]:.{price}f}".replace(".", "").lstrip("0") + f"{level[1]:.{qty}f}".replace(".", "").lstrip("0")
            for side in (book.asks.items()[:10], islice(reversed(book.bids.items()), 10)) for level in side)
        self.breaks += crc32(text.encode()) != row["checksum"]

    depth = 10

    def take_v1(self, data: list) -> None:
        channel = data[-2]
        if channel.startswith("book"):
            book = book_of(self.books, data[-1])
            if "as" in data[1]:
                book.replace_texts(data[1]["bs"], data[1]["as"])
                return
            for changes in data[1:-2]:
                book.apply_texts(changes.get("b", ()), changes.get("a", ()))
                self.values = tuple(float(level[2]) for levels in (changes.get("b", ()), changes.get("a", ()))
                                    for level in levels)
                checksum = changes.get("c")
            book.cut(int(channel[5:]))
            text = "".join(map(plain_digits, book.asks.values()[:10]))
            text += "".join(map(plain_digits, islice(reversed(book.bids.values()), 10)))
            self.breaks += crc32(text.encode()) != int(checksum)
        elif channel == "trade":
            for price, size, when, side, *_ in data[1]:
                self.values = float(price), float(size), float(when), side == "b"
        elif channel == "ticker":
            row = data[1]
            self.values = (float(row["a"][0]), float(row["a"][2]), float(row["b"][0]), float(row["b"][2]),
                           float(row["c"][0]), float(row["c"][1]), float(row["v"][1]), float(row["p"][1]), row["t"][1],
                           float(row["l"][1]), float(row["h"][1]), float(row["o"][1]))


class Deribit(Peer):
    def take(self, data: dict) -> None:
        channel = data["params"]["channel"]
        row = data["params"]["data"]
        if channel.startswith("book."):
            book = book_of(self.books, row["instrument_name"])
            if row["type"] == "snapshot":
                book.replace([level[1:] for level in row["bids"]], [level[1:] for level in row["asks"]])
            else:
                if row["prev_change_id"] != book.last:
                    self.breaks += 1
                for side, levels in ((book.bids, row["bids"]), (book.asks, row["asks"])):
                    for action, price, qty in levels:
                        if action == "delete":
                            side.pop(price, None)
                        else:
                            side[price] = qty
                book.read_best()
            book.last = row["change_id"]
        elif channel.startswith("ticker."):
            stats, greeks = row["stats"], row["greeks"]         # orjson has made them numbers
            self.values = (
                row["best_bid_price"], row["best_bid_amount"], row["best_ask_price"], row["best_ask_amount"],
                row["last_price"], row["mark_price"], row["index_price"], row["underlying_price"],
                row["open_interest"], row["mark_iv"], row["bid_iv"], row["ask_iv"], row["timestamp"], stats["volume"],
                stats["high"], stats["low"], stats["price_change"], greeks["delta"], greeks["gamma"], greeks["vega"],
                greeks["theta"], greeks["rho"])
        else:
            for trade in row:
                self.values = (trade["price"], trade["amount"], trade["direction"] == "buy", trade["trade_id"],
                               trade["timestamp"])


class Hyperliquid(Peer):
    def take(self, data: dict) -> None:
        rows = data["data"]
        if data["channel"] == "l2Book":
            book = book_of(self.books, rows["coin"])
            if book.last is not None and rows["time"] < book.last:
                self.breaks += 1
            bids, asks = rows["levels"]
            book.bids = SortedDict((float(level["px"]), float(level["sz"])) for level in bids)
            book.asks = SortedDict((float(level["px"]), float(level["sz"])) for level in asks)
            book.last = rows["time"]
            book.live = True
            book.read_best()
        else:
            for row in rows:
                self.values = float(row["px"]), float(row["sz"]), row["side"] == "B", row["tid"], row["time"]


class KrakenFutures(Peer):
    def take(self, data: dict) -> None:
        feed = data["feed"]
        if feed == "book":
            book = book_of(self.books, data["product_id"])
            if data["seq"] != book.last + 1:
                self.breaks += 1
            book.last = data["seq"]
            side = book.bids if data["side"] == "buy" else book.asks
            if data["qty"]:
                side[data["price"]] = data["qty"]
            else:
                side.pop(data["price"], None)
            book.read_best()
        elif feed == "book_snapshot":
            book = book_of(self.books, data["product_id"])
            book.bids = SortedDict((row["price"], row["qty"]) for row in data["bids"])
            book.asks = SortedDict((row["price"], row["qty"]) for row in data["asks"])
            book.last = data["seq"]
            book.live = True
            book.read_best()
        elif feed == "trade":
            self.values = data["price"], data["qty"], data["side"] == "buy", data["seq"], data["time"]
        elif feed == "ticker_lite":
            self.values = data["bid"], data["ask"], data["change"], data["volume"]


class Bitfinex(Peer):
    def __init__(self) -> None:
        super().__init__()
        self.names: dict[int, tuple[str, str]] = {}     # chanId -> channel, symbol

    def take(self, data: Any) -> None:
        if isinstance(data, dict):
            if data["event"] == "subscribed":
                self.names[data["chanId"]] = data["channel"], data["symbol"]
            return
        if self.last is not None and data[-1] != self.last + 1:
            self.breaks += 1
        self.last = data[-1]
        body = data[1]
        if body == "hb":
            return
        channel, symbol = self.names[data[0]]
        if channel == "book":
            book = book_of(self.books, symbol)
            if body and isinstance(body[0], (int, float)):
                price, count, amount = body
                side = book.bids if amount > 0 else book.asks
                if count:
                    side[price] = abs(amount)
                else:
                    side.pop(price, None)
                book.read_best()
            else:
                book.replace([(price, amount) for price, _, amount in body if amount > 0],
                             [(price, -amount) for price, _, amount in body if amount < 0])
        elif channel == "trades":
            if body == "te":
                trade, time, amount, price = data[2]
                self.values = price, abs(amount), amount > 0, trade, time
        else:
            self.values = tuple(body)                           # orjson has made them numbers


class Bitget(Peer):
    def take(self, data: dict) -> None:
        arg = data["arg"]
        channel = arg["channel"]
        for row in data["data"]:
            if channel == "books":
                book = book_of(self.books, arg["instId"])
                whole = data["action"] == "snapshot"
                if "seq" in row:
                    if not whole and row["pseq"] != book.last:
                        self.breaks += 1
                    book.last = row["seq"]
                if not row.get("checksum"):
                    (book.replace if whole else book.apply)(row["bids"], row["asks"])
                    continue
                (book.replace_texts if whole else book.apply_texts)(row["bids"], row["asks"])
                self.breaks += book.checksum_turns() != int(row["checksum"])
            elif channel == "trade":
                time, price, qty, side = row
                self.values = float(price), float(qty), side == "buy", int(time)
            else:
                self.values = (
                    float(row["last"]), float(row["open24h"]), float(row["high24h"]), float(row["low24h"]),
                    float(row["bestBid"]), float(row["bestAsk"]), float(row["baseVolume"]), float(row["quoteVolume"]),
                    row["ts"])


class Kept(Peer):
    """Changes are kept until the REST snapshot is there, then joined to it."""

    def join(self, book: Book, bids: list, asks: list, last: Any) -> None:
        book.replace(bids, asks)
        book.last = last
        kept, book.kept = book.kept, []
        for data in kept:
            self.take(data)


class Kucoin(Kept):
    def take(self, data: dict) -> None:
        subject, rows = data["subject"], data["data"]
        if subject == "trade.l2update":
            book = book_of(self.books, rows["symbol"])
            if not book.live:
                book.kept.append(data)
                return
            last = book.last
            if rows["sequenceEnd"] <= last:
                return
            if rows["sequenceStart"] > last + 1:
                self.breaks += 1
            for side, levels in ((book.bids, rows["changes"]["bids"]), (book.asks, rows["changes"]["asks"])):
                for price, size, number in levels:
                    key = float(price)
                    if key and int(number) > last:
                        qty = float(size)
                        if qty:
                            side[key] = qty
                        else:
                            side.pop(key, None)
            book.last = rows["sequenceEnd"]
            book.read_best()
        elif subject == "trade.ticker":
            self.values = (float(rows["bestBid"]), float(rows["bestBidSize"]), float(rows["bestAsk"]),
                           float(rows["bestAskSize"]), float(rows["price"]), float(rows["size"]), int(rows["sequence"]),
                           rows["time"])
        elif subject == "trade.l3match":
            self.values = (float(rows["price"]), float(rows["size"]), rows["side"] == "buy", int(rows["sequence"]),
                           int(rows["time"]))

    def rest(self, url: str, data: dict) -> None:
        rows = data["data"]
        self.join(book_of(self.books, url.rpartition("symbol=")[2]), rows["bids"], rows["asks"],
                  int(rows["sequence"]))


class Gateio(Kept):
    def take(self, data: dict) -> None:
        channel, rows = data["channel"], data["result"]
        if channel.endswith("order_book_update"):
            book = book_of(self.books, rows["s"])
            if not book.live:
                book.kept.append(data)
                return
            if rows["u"] <= book.last:
                return
            if rows["U"] > book.last + 1:
                self.breaks += 1
            book.last = rows["u"]
            if channel.startswith("spot"):
                book.apply(rows["b"], rows["a"])
                return
            for side, levels in ((book.bids, rows["b"]), (book.asks, rows["a"])):
                for level in levels:
                    qty = float(level["s"])
                    if qty:
                        side[float(level["p"])] = qty
                    else:
                        side.pop(float(level["p"]), None)
            book.read_best()
        elif channel == "futures.book_ticker":
            self.values = float(rows["b"]), rows["B"], float(rows["a"]), rows["A"], rows["u"], rows["t"]
        elif channel == "spot.tickers":
            self.values = (float(rows["last"]), float(rows["lowest_ask"]), float(rows["highest_bid"]),
                           float(rows["change_percentage"]), float(rows["base_volume"]), float(rows["quote_volume"]),
                           float(rows["high_24h"]), float(rows["low_24h"]), data["time"])
        elif channel == "spot.trades":
            self.values = (float(rows["price"]), float(rows["amount"]), rows["side"] == "buy", rows["id"],
                           float(rows["create_time_ms"]))
        else:
            for row in rows:
                self.values = float(row["price"]), abs(row["size"]), row["size"] > 0, row["id"], row["create_time_ms"]

    def rest(self, url: str, data: dict) -> None:
        symbol = url.partition("contract=" if "contract=" in url else "currency_pair=")[2].partition("&")[0]
        bids, asks = data["bids"], data["asks"]
        if bids and isinstance(bids[0], dict):
            bids, asks = ([(level["p"], level["s"]) for level in side] for side in (bids, asks))
        self.join(book_of(self.books, symbol), bids, asks, data["id"])


class Bitmex(Peer):
    def take(self, data: dict) -> None:
        table, action = data["table"], data["action"]
        if table == "orderBookL2":
            book = None
            for row in data["data"]:
                symbol = row["symbol"]
                book = book_of(self.books, symbol)
                ids = book.ids
                side = book.bids if row["side"] == "Buy" else book.asks
                if action == "update":
                    price = ids.get(row["id"])
                    if price is None:
                        self.breaks += 1
                        continue
                    side[price] = row["size"]
                elif action == "delete":
                    side.pop(ids.pop(row["id"], None), None)
                else:
                    ids[row["id"]] = row["price"]
                    side[row["price"]] = row["size"]
            if book is not None:
                book.live = True
                book.read_best()
        elif table == "quote":
            for row in data["data"]:
                self.values = row["bidPrice"], row["bidSize"], row["askPrice"], row["askSize"], ns(row["timestamp"])
        else:
            for row in data["data"]:
                self.values = row["price"], row["size"], row["side"] == "Buy", ns(row["timestamp"])


class Bitstamp(Peer):
    def take(self, data: dict) -> None:
        rows = data["data"]
        if data["event"] == "data":
            book = book_of(self.books, data["channel"][16:])
            number = int(rows["microtimestamp"])
            if book.last is None or number <= book.last:
                return
            book.last = number
            book.apply(rows["bids"], rows["asks"])
        elif data["event"] == "trade":
            self.values = (float(rows["price_str"]), float(rows["amount_str"]), rows["type"] == 0, rows["id"],
                           int(rows["microtimestamp"]))

    def rest(self, url: str, data: dict) -> None:
        book = book_of(self.books, url.rpartition("/")[2])
        book.replace(data["bids"], data["asks"])
        book.last = int(data["microtimestamp"])


class Gemini(Peer):
    def take(self, data: dict) -> None:
        if data["type"] == "l2_updates":
            book = book_of(self.books, data["symbol"])
            book.live = True
            bids, asks = book.bids, book.asks
            for side, price, size in data["changes"]:
                levels = bids if side == "buy" else asks
                qty = float(size)
                if qty:
                    levels[float(price)] = qty
                else:
                    levels.pop(float(price), None)
            book.read_best()
        elif data["type"] == "trade":
            self.values = (float(data["price"]), float(data["quantity"]), data["side"] == "buy", data["event_id"],
                           data["timestamp"])


class Htx(Peer):
    def take(self, data: dict) -> None:
        name = data["ch"].split(".")
        tick = data["tick"]
        if name[2] == "depth":
            book = book_of(self.books, name[1])
            number = tick["version"] if "version" in tick else tick["mrid"]
            if book.last is not None and number < book.last:
                self.breaks += 1
            book.replace(tick["bids"], tick["asks"])
            book.last = number
        else:
            for row in tick["data"]:
                self.values = row["price"], row["amount"], row["direction"] == "buy", row["id"], row["ts"]


class Cryptocom(Peer):
    def take(self, data: dict) -> None:
        result = data["result"]
        for row in result["data"]:
            book = book_of(self.books, result["instrument_name"])
            if result["channel"] == "book":
                book.replace(row["bids"], row["asks"])
            else:
                self.breaks += row["pu"] != book.last
                book.apply(row["update"]["bids"], row["update"]["asks"])
                book.cut(result["depth"])
            book.last = row["u"]


class Dydx(Peer):
    """v3 with an offset for each level, v4 without."""

    def __init__(self) -> None:
        super().__init__()
        self.highest = -1
        self.missing: set[int] = set()

    def take(self, data: dict) -> None:
        number = data["message_id"]
        if number == self.highest + 1:
            self.highest = number
        elif number > self.highest:
            self.missing.update(range(self.highest + 1, number))
            self.highest = number
        else:
            self.missing.discard(number)
        channel = data.get("channel")
        contents = data.get("contents")
        if channel == "v3_trades" or channel == "v4_trades":
            if data["type"] != "subscribed":
                for row in contents["trades"]:
                    self.values = (float(row["price"]), float(row["size"]), row["side"] == "BUY", ns(row["createdAt"]))
        elif channel is not None:
            self.book(data["type"], book_of(self.books, data["id"]), contents, channel == "v3_orderbook")

    @staticmethod
    def book(kind: str, book: Book, contents: dict, offsets: bool) -> None:
        if kind == "subscribed":
            for side, levels in ((book.bids, contents["bids"]), (book.asks, contents["asks"])):
                for level in levels:
                    price, qty = float(level["price"]), float(level["size"])
                    if offsets:
                        book.ids[price, side is book.asks] = int(level["offset"])
                    if qty:
                        side[price] = qty
            book.live = True
        elif not offsets:
            book.apply(contents.get("bids", ()), contents.get("asks", ()))
            return
        else:
            offset, ids = int(contents["offset"]), book.ids
            for side, levels in ((book.bids, contents["bids"]), (book.asks, contents["asks"])):
                for text, size in levels:
                    price = float(text)
                    key = price, side is book.asks
                    if ids.get(key, -1) >= offset:
                        continue
                    ids[key] = offset
                    qty = float(size)
                    if qty:
                        side[price] = qty
                    else:
                        side.pop(price, None)
        book.read_best()


class Mexc(Kept):
    """The JSON of the contracts; spot's protobuf frames are given to it as JSON of the same content."""

    def take(self, data: dict) -> None:
        body = data.get("publicAggreDepths")
        book = book_of(self.books, data["symbol"])
        if body is not None:
            first, last = int(body["fromVersion"]), int(body["toVersion"])
            bids, asks = body["bids"], body["asks"]
        else:
            body = data["data"]
            first, last = body["begin"], body["end"]
            bids, asks = body["bids"], body["asks"]
        if not book.live:
            book.kept.append(data)
            return
        if last <= book.last:
            return
        if first != book.last + 1:
            self.breaks += 1
        book.last = last
        if bids and isinstance(bids[0], dict):
            bids = [(level["price"], level["quantity"]) for level in bids]
        if asks and isinstance(asks[0], dict):
            asks = [(level["price"], level["quantity"]) for level in asks]
        book.apply(bids, asks)

    def rest(self, url: str, data: dict) -> None:
        if "symbol=" in url:
            symbol = url.partition("symbol=")[2].partition("&")[0]
            self.join(book_of(self.books, symbol), data["bids"], data["asks"], data["lastUpdateId"])
        else:
            symbol = url.rpartition("/")[2].partition("?")[0]
            rows = data["data"]
            self.join(book_of(self.books, symbol), rows["bids"], rows["asks"], rows["version"])


class Binance(Kept):
    futures = True
    spot_first = False

    def take(self, data: dict) -> None:
        data = data.get("data", data)
        kind = data.get("e", "bookTicker" if "u" in data else "")
        if kind == "depthUpdate":
            book = book_of(self.books, data["s"])
            if not book.live:
                book.kept.append({"data": data})
                return
            last, joined = book.last
            if data["u"] < last or (data["u"] == last and "pu" not in data):
                return
            if joined and (data["pu"] != last if "pu" in data else data["U"] != last + 1):
                self.breaks += 1
            book.last = data["u"], True
            book.apply(data["b"], data["a"])
        elif kind in ("trade", "aggTrade"):
            self.values = (float(data["p"]), float(data["q"]), data["T"], data["a" if kind == "aggTrade" else "t"],
                           data["m"])
        elif kind == "bookTicker":
            self.values = (float(data["b"]), float(data["B"]), float(data["a"]), float(data["A"]), data["u"],
                           data.get("E"))

    def rest(self, url: str, data: dict) -> None:
        symbol = url.partition("symbol=")[2].partition("&")[0].upper()
        self.join(book_of(self.books, symbol), data["bids"], data["asks"], (data["lastUpdateId"], False))


PEERS: dict[str, Callable[[], Peer]] = {
    "binance_spot": Binance, "binance_usdm": Binance, "binance_coinm": Binance, "okx": Okx, "bybit": Bybit,
    "coinbase_advanced": CoinbaseAdvanced, "coinbase_exchange": CoinbaseExchange, "kraken": Kraken, "deribit": Deribit,
    "hyperliquid": Hyperliquid, "kraken_futures": KrakenFutures, "bitfinex": Bitfinex, "bitget": Bitget,
    "kucoin": Kucoin, "gateio": Gateio, "bitmex": Bitmex, "bitstamp": Bitstamp, "gemini": Gemini, "htx": Htx,
    "cryptocom": Cryptocom, "dydx": Dydx, "mexc": Mexc,
}
