"""The slow, obvious analytics: every formula as it is written, on lists of exact levels. The oracle of
orderbook.analytics.

A side is a list of (price, quantity) Fractions, best first. None stands for what is not defined.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

Levels = list[tuple[Fraction, Fraction]]


class Sides:
    """Both sides of a book at one moment."""

    def __init__(self, bids: Sequence[tuple], asks: Sequence[tuple]):
        self.bids: Levels = sorted(((Fraction(p), Fraction(q)) for p, q in bids), reverse=True)
        self.asks: Levels = sorted((Fraction(p), Fraction(q)) for p, q in asks)

    @property
    def both(self) -> bool:
        return bool(self.bids and self.asks)

    def mid(self):
        return (self.bids[0][0] + self.asks[0][0]) / 2 if self.both else None

    def spread(self):
        return self.asks[0][0] - self.bids[0][0] if self.both else None

    def spread_bps(self):
        return 10_000 * self.spread() / abs(self.mid()) if self.mid() else None

    def microprice(self):
        if not self.both:
            return None
        (bid, bid_qty), (ask, ask_qty) = self.bids[0], self.asks[0]
        return (bid * ask_qty + ask * bid_qty) / (bid_qty + ask_qty)

    def imbalance(self, depth: int):
        return balance(total(self.bids[:depth]), total(self.asks[:depth]))

    def near(self, side: Levels, bps):
        """The levels at most so far from mid, away from the other side."""
        width = Fraction(bps) / 10_000 * abs(self.mid())
        return [(p, q) for p, q in side
                if (p >= self.mid() - width if side is self.bids else p <= self.mid() + width)]

    def depth_within(self, bps):
        return (total(self.near(self.bids, bps)), total(self.near(self.asks, bps))) if self.both else (None, None)

    def imbalance_within(self, bps):
        return balance(*self.depth_within(bps)) if self.both else None

    def depth_ratio(self, bps):
        bids, asks = self.depth_within(bps)
        if bids is None or bids == asks == 0:
            return None
        return bids / asks if asks else math.inf

    def taken(self, order: str) -> Levels:
        return self.asks if order == "buy" else self.bids

    def fill(self, order: str, qty=None, notional=None):
        """(quantity, notional, levels, worst price, complete) of what an order would get."""
        left = Fraction(qty if notional is None else notional)
        got = paid = Fraction(0)
        worst, levels = None, 0
        for price, size in self.taken(order):
            if left == 0 or (notional is not None and price <= 0):
                break
            take = min(size, left if notional is None else left / price)
            left -= take if notional is None else take * price
            got, paid, worst, levels = got + take, paid + take * price, price, levels + 1
        return got, paid, levels, worst, left == 0

    def vwap(self, order: str, fee_bps=0, **amount):
        """Price with the fee in it, None if nothing is filled."""
        got, paid, *_ = self.fill(order, **amount)
        if not got:
            return None
        fee = abs(paid) * Fraction(fee_bps) / 10_000
        return (paid + fee if order == "buy" else paid - fee) / got

    def worse_bps(self, order: str, against, fee_bps=0, **amount):
        """How much worse than a price an order is filled, None if not filled at all."""
        price = self.vwap(order, fee_bps, **amount)
        if price is None or not against:
            return None
        return 10_000 * (price - against if order == "buy" else against - price) / abs(against)

    def qty_to_move(self, order: str, bps):
        side = self.taken(order)
        if not side:
            return None
        best = side[0][0]
        beyond = [10_000 * abs(p - best) >= bps * abs(best) for p, _ in side]
        return total(side[:beyond.index(True)]) if True in beyond else math.inf

    def depth_curve(self, side: Levels, n: int | None = None):
        return [(p, total(side[:i + 1])) for i, (p, _) in enumerate(side[:n])]

    def grouped(self, side: Levels, bucket, n: int | None = None):
        down = side is self.bids
        groups: dict[Fraction, Fraction] = {}
        for price, qty in side:
            key = (math.floor(price / bucket) if down else math.ceil(price / bucket)) * bucket
            groups[key] = groups.get(key, Fraction(0)) + qty
        return list(groups.items())[:n]

    def depth_slope(self, side: Levels, depth: int):
        if not self.mid() or len(side[:depth]) < 2:
            return None
        sign = -1 if side is self.bids else 1
        x = [sign * 10_000 * (p - self.mid()) / abs(self.mid()) for p, _ in side[:depth]]
        y = [q for _, q in self.depth_curve(side, depth)]
        mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
        return (sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
                / sum((a - mean_x) ** 2 for a in x))

    def queue_ahead(self, side: Levels, price):
        better = total([(p, q) for p, q in side if (p > price if side is self.bids else p < price)])
        return dict(side).get(price, Fraction(0)), better


def total(levels: Levels) -> Fraction:
    return sum((q for _, q in levels), Fraction(0))


def balance(bids, asks):
    return (bids - asks) / (bids + asks) if bids + asks else None


def order_flow(before: Sides, after: Sides) -> Fraction:
    """e of Cont, Kukanov and Stoikov; an empty side is quantity 0 at a price beyond all others."""
    none = Fraction(0)
    (bid, bid_qty), (new_bid, new_bid_qty) = (s.bids[0] if s.bids else (-math.inf, none) for s in (before, after))
    (ask, ask_qty), (new_ask, new_ask_qty) = (s.asks[0] if s.asks else (math.inf, none) for s in (before, after))
    return ((new_bid_qty if new_bid >= bid else 0) - (bid_qty if new_bid <= bid else 0)
            - (new_ask_qty if new_ask <= ask else 0) + (ask_qty if new_ask >= ask else 0))
