"""What a user would write today: a JSON decoder and a sorted dict of floats. Used beside ours by the benchmarks.

Both do the same work on a frame: a depth message is decoded, its `pu` checked, every level applied and the best prices
read; a trade or a ticker has all its prices, quantities, ids and times decoded to numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import msgspec
import orjson
from sortedcontainers import SortedDict


class Peer:
    """A book in two sorted dicts, and the values of the last trade and ticker."""

    def __init__(self, snapshot: bytes) -> None:
        data = json.loads(snapshot)
        self.bids = SortedDict((float(price), float(qty)) for price, qty in data["bids"])
        self.asks = SortedDict((float(price), float(qty)) for price, qty in data["asks"])
        self.last = 0
        self.best = self.values = None

    @property
    def levels(self) -> tuple[int, int]:
        return len(self.bids), len(self.asks)

    def follow(self, pu: int, u: int) -> None:
        if self.last and pu != self.last:
            raise RuntimeError(f"gap: {pu} follows {self.last}")
        self.last = u

    def apply(self, bids: Iterable, asks: Iterable) -> None:
        for side, levels in ((self.bids, bids), (self.asks, asks)):
            for price, qty in levels:
                quantity = float(qty)
                if quantity:
                    side[float(price)] = quantity
                else:
                    side.pop(float(price), None)
        self.best = self.bids.peekitem(-1), self.asks.peekitem(0)

    def feed(self, frame: bytes) -> None:
        """Decode one frame and apply it."""
        raise TypeError(f"{type(self).__name__} decodes nothing")

    def feed_many(self, frames: list[bytes]) -> None:
        feed = self.feed
        for frame in frames:
            feed(frame)


class OrjsonPeer(Peer):
    """orjson and SortedDict: the 1x of every ratio."""

    def feed(self, frame: bytes) -> None:
        data = orjson.loads(frame)["data"]
        kind = data["e"]
        if kind == "depthUpdate":
            self.follow(data["pu"], data["u"])
            self.apply(data["b"], data["a"])
        elif kind == "trade":
            self.values = float(data["p"]), float(data["q"]), data["T"], data["t"], data["m"]
        else:
            self.values = (float(data["b"]), float(data["B"]), float(data["a"]), float(data["A"]),
                           data["u"], data["E"])


class Depth(msgspec.Struct, tag_field="e", tag="depthUpdate", gc=False):
    E: int
    u: int
    pu: int
    b: list[tuple[str, str]]
    a: list[tuple[str, str]]


class Trade(msgspec.Struct, tag_field="e", tag="trade", gc=False):
    T: int
    t: int
    p: str
    q: str
    m: bool


class Ticker(msgspec.Struct, tag_field="e", tag="bookTicker", gc=False):
    u: int
    E: int
    b: str
    B: str
    a: str
    A: str


class Envelope(msgspec.Struct, gc=False):
    data: Depth | Trade | Ticker


class MsgspecPeer(Peer):
    """msgspec with typed structs and SortedDict: the quickest of the Python peers."""

    decode = msgspec.json.Decoder(Envelope).decode

    def feed(self, frame: bytes) -> None:
        data = self.decode(frame).data
        kind = type(data)
        if kind is Depth:
            self.follow(data.pu, data.u)
            self.apply(data.b, data.a)
        elif kind is Trade:
            self.values = float(data.p), float(data.q), data.T, data.t, data.m
        else:
            self.values = float(data.b), float(data.B), float(data.a), float(data.A), data.u, data.E
