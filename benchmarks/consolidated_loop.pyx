"""Reads of a consolidated book at C level, where the cost of the call from Python would hide them."""

from orderbook.consolidated cimport Best, ConsolidatedReads


def best_often(ConsolidatedReads reads, int times):
    """Best bid and offer, so often; gives a sum so that nothing is left out."""
    cdef Best bid, ask
    cdef double total = 0
    cdef int _turn
    with nogil:
        for _turn in range(times):
            reads.best(&bid, &ask)
            total += bid.price - ask.price
    return total
