# cython: boundscheck=False, wraparound=False
"""Checksums of one book in a C loop."""

from libc.stdint cimport uint32_t
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from feeds.checksum cimport checksum_of
from feeds.message cimport CHECKSUM_DIGITS, CHECKSUM_PAIRS, CHECKSUM_SIGNED
from orderbook.book cimport Book

RECIPES = {"pairs": CHECKSUM_PAIRS, "digits": CHECKSUM_DIGITS, "signed": CHECKSUM_SIGNED}


def measure(Book book, str recipe, int price, int qty, bint trailing, int times):
    """(checksum, ns for one) of a book whose numbers are printed with so many decimals at most; `trailing`: with zeros
    behind them."""
    cdef timespec start, end
    cdef uint32_t found = 0
    cdef int kind = RECIPES[recipe], _time
    cdef int price_fixed = price if trailing else 0, qty_fixed = qty if trailing else 0
    clock_gettime(CLOCK_MONOTONIC, &start)
    for _time in range(times):
        found = checksum_of(kind, book.data, price_fixed, qty_fixed, price, qty)
    clock_gettime(CLOCK_MONOTONIC, &end)
    return found, ((end.tv_sec - start.tv_sec) * 1e9 + (end.tv_nsec - start.tv_nsec)) / times
