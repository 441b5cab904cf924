"""Crossings: the times in which one venue's bid stands above another's ask, followed message by message."""

from libc.math cimport INFINITY, NAN
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free
from orderbook.consolidated cimport Best, ConsolidatedReads, newest_ns, part_best

from math import isnan

cdef struct Look:
    Best bid                  # of one venue at the last update
    Best ask
    bint found                # it was in

cdef struct Cross:
    int64_t since_ns          # when it was first seen
    double bid                # prices and the smaller quantity where bid - ask was largest
    double ask
    double qty
    bint open                 # it lasts


cdef class Crossing:
    """A time in which one venue's bid stood above another's ask: buying at one and selling at the other paid."""

    cdef readonly str buy_at         # venue of the lower ask
    cdef readonly str sell_at        # venue of the higher bid
    cdef readonly int64_t since_ns   # receive time of the message after which it was first seen
    cdef readonly int64_t until_ns   # of the message that ended it, or of the newest one while it lasts
    cdef readonly double ask         # the prices where bid - ask was largest, as the reads that were watched give them
    cdef readonly double bid
    cdef readonly double qty         # the smaller of the two quantities there, base units
    cdef readonly str ended          # "" while it lasts; "prices"; "rate": one is not known; the state of a book

    @property
    def duration_ns(self):
        """How long it lasted."""
        return self.until_ns - self.since_ns

    @property
    def edge_bps(self):
        """The largest bid - ask in basis points of that ask, nan where it is not above 0."""
        return (self.bid - self.ask) / self.ask * 1e4 if self.ask > 0 else NAN

    def __repr__(self):
        return (f"<Crossing buy {self.buy_at} {self.ask:g} sell {self.sell_at} {self.bid:g} qty {self.qty:g}, "
                f"{self.duration_ns / 1e6:.3f} ms{', ' + self.ended if self.ended else ''}>")


cdef class CrossWatch:
    """Follows which venues are crossed: since when, by how much, until when.

    Times are receive times of the books' messages: call `update` after each message and each change of a state (in
    on_book and on_status of a handler), from one thread. Between two calls nothing is seen.

    Parameters: reads -- a ConsolidatedBook, or its `net`: then only what pays after taker fees counts.
    """

    cdef ConsolidatedReads reads
    cdef Look* looks          # one for each venue. Owned
    cdef Cross* pairs         # pairs[i * count + j]: venue i's bid above venue j's ask. Owned
    cdef int64_t now_ns       # the newest time met
    cdef int n_open

    def __cinit__(self, ConsolidatedReads reads not None):
        self.reads = reads
        self.looks = <Look*> calloc(reads.count, sizeof(Look))
        self.pairs = <Cross*> calloc(reads.count * reads.count, sizeof(Cross))
        if self.looks == NULL or self.pairs == NULL:
            raise MemoryError("no memory for a watch of crossings")

    def __init__(self, reads):
        pass

    def __dealloc__(self):
        free(self.looks)
        free(self.pairs)

    def update(self):
        """Look at every book now. Returns: a tuple of the `Crossing`s that this look found ended, mostly empty."""
        cdef int i, j, n = self.reads.count
        cdef double best_bid = -INFINITY, best_ask = INFINITY
        cdef Look* look
        cdef Cross* pair
        self.now_ns = max(self.now_ns, newest_ns(self.reads.parts, n))
        for i in range(n):
            look = &self.looks[i]
            look.found = part_best(&self.reads.parts[i], self.reads.with_fees, &look.bid, &look.ask)
            if look.bid.venues:
                best_bid = max(best_bid, look.bid.price)
            if look.ask.venues:
                best_ask = min(best_ask, look.ask.price)
        if self.n_open == 0 and best_bid <= best_ask:
            return ()
        ended = []
        for i in range(n):
            for j in range(n):
                pair = &self.pairs[i * n + j]
                if i != j and self.looks[i].bid.venues and self.looks[j].ask.venues and (
                        self.looks[i].bid.price > self.looks[j].ask.price):
                    self.n_open += not pair.open
                    pair_note(pair, &self.looks[i].bid, &self.looks[j].ask, self.now_ns)
                elif pair.open:
                    ended.append(self.end(i, j))
        return tuple(ended)

    @property
    def open(self):
        """The `Crossing`s that lasted at the last update."""
        cdef int i, n = self.reads.count
        return tuple([self.crossing(i // n, i % n) for i in range(n * n) if self.pairs[i].open])

    cdef Crossing crossing(self, int i, int j):
        """What is known of the crossing of venue i's bid and venue j's ask."""
        cdef Cross* pair = &self.pairs[i * self.reads.count + j]
        cdef Crossing out = Crossing.__new__(Crossing)
        out.sell_at, out.buy_at = self.reads.names[i], self.reads.names[j]
        out.since_ns, out.until_ns = pair.since_ns, self.now_ns
        out.bid, out.ask, out.qty = pair.bid, pair.ask, pair.qty
        out.ended = ""
        return out

    cdef Crossing end(self, int i, int j):
        """Close the crossing of venue i's bid and venue j's ask; it ended when a book left LIVE, if one did."""
        cdef Crossing out = self.crossing(i, j)
        cdef int venue
        self.pairs[i * self.reads.count + j].open = False
        self.n_open -= 1
        out.ended = "prices"
        for venue in (i, j):
            if not self.looks[venue].found:
                if isnan(self.reads.parts[venue].rate):
                    out.ended = "rate"
                    continue
                book = self.reads.books[venue]
                out.ended = book.status.name
                if book.since_ns >= out.since_ns:
                    out.until_ns = book.since_ns
                    self.now_ns = max(self.now_ns, out.until_ns)
        return out


cdef void pair_note(Cross* self, const Best* bid, const Best* ask, int64_t now_ns) noexcept nogil:
    """These two are crossed now."""
    if not self.open or bid.price - ask.price > self.bid - self.ask:
        self.bid, self.ask, self.qty = bid.price, ask.price, min(bid.qty, ask.qty)
    if not self.open:
        self.open = True
        self.since_ns = now_ns
