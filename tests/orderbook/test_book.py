"""The book's Python face: reads, states, whole-or-nothing changes, trusted depth, caller's arrays, memory."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest

from orderbook import Book, BookError, BookNotLive, BookState, Side

READS = ("best_bid", "best_ask", "best_bid_int", "best_ask_int", "spread", "mid")
CALLS = (("bbo",), ("bid_qty", "1"), ("ask_qty", "1"), ("bid_qty_int", 1), ("ask_qty_int", 1), ("bids",), ("asks",),
         ("bids_int",), ("asks_int",), ("top", None, None))


@pytest.fixture
def book():
    book = Book()
    book.apply_snapshot([("100.5", "2"), ("100.4", "0.25"), ("99", "7")], [("100.6", "1.25"), ("101", "3")],
                        sequence=7, exchange_ns=11, receive_ns=13)
    return book


def state(book):
    """Everything a reader can see of a book."""
    raw = book.raw
    return (book.status, book.sequence, book.exchange_ns, book.receive_ns, book.bid_levels, book.ask_levels,
            [(book.price_decimal(p), book.qty_decimal(q)) for p, q in raw.bids_int().tolist()],
            [(book.price_decimal(p), book.qty_decimal(q)) for p, q in raw.asks_int().tolist()],
            raw.best_bid, raw.best_ask, book.trusted_bid, book.trusted_ask)


def test_reads_of_a_live_book(book):
    assert (book.best_bid, book.best_ask) == ((100.5, 2.0), (100.6, 1.25))
    assert (book.price_scale, book.qty_scale) == (1, 2)
    assert (book.best_bid_int, book.best_ask_int) == ((1005, 200), (1006, 125))
    assert book.bbo() == (100.5, 2.0, 100.6, 1.25)
    assert book.spread == pytest.approx(0.1)
    assert book.mid == pytest.approx(100.55)
    assert (book.bid_levels, book.ask_levels) == (3, 2)
    assert (book.status, book.sequence, book.exchange_ns, book.receive_ns) == (BookState.LIVE, 7, 11, 13)
    assert book.bids().tolist() == [[100.5, 2.0], [100.4, 0.25], [99.0, 7.0]]
    assert book.asks(1).tolist() == [[100.6, 1.25]]
    assert book.bids_int(2).tolist() == [[1005, 200], [1004, 25]]
    assert book.asks_int(99).tolist() == [[1006, 125], [1010, 300]]
    assert book.bids(0).shape == (0, 2)
    assert (book.bids().dtype, book.bids_int().dtype) == (np.float64, np.int64)


def test_quantity_at_a_price_takes_every_kind_of_number(book):
    for price in ("100.4", Decimal("100.40"), 100.4):
        assert book.bid_qty(price) == 0.25
    assert book.bid_qty(99) == 7.0
    assert book.bid_qty_int(1004) == 25
    assert book.bid_qty("100.6") == 0.0                     # an ask rests there, no bid
    assert book.ask_qty("100.6") == 1.25
    assert book.bid_qty("100.45") == 0.0                    # finer than any level
    assert book.bid_qty("1e30") == 0.0
    assert book.ask_qty_int(-1) == 0


@pytest.mark.parametrize("price", ["abc", "", "nan", float("inf")])
def test_quantity_at_no_price_is_an_error(book, price):
    with pytest.raises(ValueError, match="expected a"):
        book.bid_qty(price)


def test_quantity_at_another_kind_of_price_is_an_error(book):
    with pytest.raises((TypeError, BookError), match="expected a number"):
        book.ask_qty(None)


def test_an_empty_side_reads_as_none():
    book = Book()
    book.apply_snapshot([("1", "2")], [])
    assert book.best_ask is None
    assert book.best_ask_int is None
    assert book.spread is None
    assert book.mid is None
    assert book.bbo()[:2] == (1.0, 2.0)
    assert all(map(math.isnan, book.bbo()[2:]))
    assert book.asks().shape == (0, 2)


def test_a_book_is_empty_before_its_first_snapshot():
    book = Book()
    assert book.status is BookState.EMPTY
    with pytest.raises(BookNotLive, match="EMPTY"):
        book.apply_delta([("1", "2")], [])
    for name in READS:
        with pytest.raises(BookNotLive, match="raw"):
            getattr(book, name)
    for name, *arguments in CALLS:
        with pytest.raises(BookNotLive):
            getattr(book, name)(*arguments)
    assert (book.bid_levels, book.sequence, book.trusted_bid, book.trusted_ask) == (0, 0, -math.inf, math.inf)


def test_raw_answers_the_same_names_in_every_state(book):
    empty = Book()
    for name in READS:
        assert getattr(empty.raw, name) is None
        assert getattr(book.raw, name) == getattr(book, name)
    for name, *arguments in CALLS:
        assert np.array_equal(getattr(book.raw, name)(*arguments), getattr(book, name)(*arguments))
        getattr(empty.raw, name)(*arguments)
    names = {name for name in dir(book) if not name.startswith("_")} - {
        "apply_snapshot", "apply_delta", "raw", "symbol", "reason"}
    assert names <= set(dir(book.raw))


def test_raw_outlives_its_book():
    book = Book()
    book.apply_snapshot([("1", "2")], [])
    raw = book.raw
    del book
    assert raw.best_bid == (1.0, 2.0)


def test_a_read_object_is_made_by_a_book_only(book):
    with pytest.raises(TypeError, match="raw"):
        type(book.raw)()


def test_a_delta_sets_changes_and_removes(book):
    book.apply_delta([("100.5", "0"), ("100.4", "1"), ("98.75", "3")], [("101", "0.00")], sequence=8)
    assert book.bids().tolist() == [[100.4, 1.0], [99.0, 7.0], [98.75, 3.0]]
    assert book.asks().tolist() == [[100.6, 1.25]]
    assert book.sequence == 8
    assert (book.exchange_ns, book.receive_ns) == (0, 0)


def test_entries_are_taken_in_order(book):
    book.apply_delta([("50", "1"), ("50", "0"), ("51", "0"), ("51", "4")], [])
    assert book.bid_qty("50") == 0.0
    assert book.bid_qty("51") == 4.0


def test_a_snapshot_replaces_everything(book):
    book.apply_snapshot([("1", "1"), ("2", "0")], [], sequence=3)
    assert book.bids().tolist() == [[1.0, 1.0]]
    assert (book.ask_levels, book.sequence) == (0, 3)
    book.apply_snapshot([], [])
    assert (book.bid_levels, book.best_bid, book.status) == (0, None, BookState.LIVE)


def test_of_a_price_that_comes_twice_in_a_snapshot_the_last_one_holds(book):
    for prices in (["5", "300", "5", "4", "300"], ["4", "5", "300", "300", "5"]):
        rows = [(price, str(number)) for number, price in enumerate(prices, 1)]
        book.apply_snapshot(rows, rows)
        held = sorted(((float(price), float(qty)) for price, qty in dict(rows).items()), reverse=True)
        assert book.bids().tolist() == [list(level) for level in held]
        assert book.asks().tolist() == [list(level) for level in held[::-1]]
        assert (book.bid_levels, book.ask_levels) == (3, 3)


def test_inputs_of_every_kind_give_the_same_book():
    forms = ([("0.1", "2.50"), ("0.25", "1")], [(Decimal("0.10"), Decimal("2.5")), (Decimal("0.25"), 1)],
             [(0.1, 2.5), (0.25, 1.0)], [[0.1, "2.5"], ("2.5e-1", 1)], np.array([[0.1, 2.5], [0.25, 1.0]]),
             ((price, qty) for price, qty in [("0.1", 2.5), (".25", "1.")]))
    for form in forms:
        book = Book()
        book.apply_snapshot(form, [])
        assert book.bids().tolist() == [[0.25, 1.0], [0.1, 2.5]]
        assert (book.price_scale, book.qty_scale) == (2, 1)


def test_int64_arrays_are_units_of_the_books_scales():
    book = Book(price_scale=2, qty_scale=1)
    book.apply_snapshot(np.array([[100, 25], [99, 10]]), np.array([[101, 5]]))
    assert book.bids().tolist() == [[1.0, 2.5], [0.99, 1.0]]
    assert book.asks_int().tolist() == [[101, 5]]
    book.apply_delta(np.array([[100, 0], [7, 3]])[::-1], np.empty((0, 2), np.int64))
    assert book.bids_int().tolist() == [[99, 10], [7, 3]]


BAD_LEVELS = [
    [("1", "-1")], [("1", "nan")], [("nan", "1")], [("inf", "1")], [("1", "Infinity")], [("x", "1")], [("", "1")],
    [("1",)], [("1", "2", "3")], [None], [("1", None)], [(b"1", "2")], [("1", "1e40")], [("1e40", "1")],
    [("1e-19", "1")], [("1", "0.1234567890123456789")], [("9223372036854775808", "1")], [("1e999999999", "1")],
    [("1", "2"), ("3", "-4")], np.array([[1, -1]]), np.array([1, 2]), np.array([[1, 2, 3]]),
    np.array([[-2**63, 1], [-1, 1]]), np.array([[-2**63, 1]]), [("1", float("nan"))], ["12"[:1]], [{"price": 1}],
]


@pytest.mark.parametrize("levels", BAD_LEVELS, ids=lambda levels: str(levels)[:40])
@pytest.mark.parametrize("method", ["apply_snapshot", "apply_delta"])
def test_what_cannot_be_applied_changes_nothing(book, method, levels):
    for bids, asks in ((levels, [("200", "1")]), ([("50", "1")], levels)):
        before = state(book)
        with pytest.raises(BookError):
            getattr(book, method)(bids, asks, sequence=99)
        assert state(book) == before
    with pytest.raises(BookError):
        Book().apply_snapshot(levels, [])


@pytest.mark.parametrize("arguments", [(None, []), ([], 5), ([("1", "1")],)])
def test_wrong_arguments_raise_and_change_nothing(book, arguments):
    before = state(book)
    with pytest.raises((TypeError, BookError)):
        book.apply_delta(*arguments)
    assert state(book) == before


def test_an_iterable_that_raises_changes_nothing(book):
    def levels():
        yield ("1", "1")
        raise RuntimeError("broken")

    before = state(book)
    with pytest.raises(RuntimeError, match="broken"):
        book.apply_delta([("2", "2")], levels())
    assert state(book) == before


def test_scales_widen_without_loss(book):
    levels = state(book)[6:8]
    book.apply_delta([("100.123456", "0")], [("100.60000001", "0.000001")])
    assert (book.price_scale, book.qty_scale) == (8, 6)
    assert state(book)[6] == levels[0]
    assert book.best_ask_int == (10_060_000_000, 1_250_000)
    assert book.asks_int(2).tolist()[1] == [10_060_000_001, 1]
    assert book.price_text(book.asks_int(2)[1, 0]) == "100.60000001"


def test_trailing_zeros_need_no_decimals():
    book = Book()
    book.apply_snapshot([("100.50000000", "2.000")], [(Decimal("101.0"), 3.0)])
    assert (book.price_scale, book.qty_scale) == (1, 0)


def test_the_smallest_price_beside_a_large_one():
    book = Book()
    book.apply_snapshot([("0.00000001", "1")], [("1000000", "92233720368")])
    assert (book.best_bid, book.best_ask) == ((1e-8, 1.0), (1e6, 92233720368.0))
    book.apply_delta([("999999.99999999", "0.5")], [])
    assert book.bids_int().tolist() == [[99_999_999_999_999, 5], [1, 10]]


@pytest.mark.parametrize("price", ["9223372036854775807", "92233720368.54775807", "-9223372036854775807",
                                   "50000000000.00000001", "-0.000000000000000001", "4611686018427387904"])
def test_prices_to_the_limits_of_int64(price):
    book = Book()
    book.apply_snapshot([(price, "9223372036854775807")], [])
    assert book.price_decimal(book.best_bid_int[0]) == Decimal(price)
    assert book.best_bid_int[1] == 2**63 - 1
    book.apply_delta([(price, "0"), ("0", "1")], [(price, 1)])
    assert book.price_decimal(book.best_ask_int[0]) == Decimal(price)
    assert book.best_bid == (0.0, 1.0)


def test_widening_takes_whatever_int64_holds():
    book = Book()
    book.apply_snapshot([("1000000", "1")], [])
    book.apply_delta([], [("1000000.000000000001", "1")])
    assert book.asks_int().tolist() == [[10**18 + 1, 1]]


def test_widening_past_int64_is_an_error_and_changes_nothing(book):
    book.apply_delta([("1", "9000000000000000")], [])
    before = state(book)
    with pytest.raises(BookError, match="int64"):
        book.apply_delta([], [("100.6", "0.00001")])
    assert state(book) == before


def test_negative_prices_sort_like_numbers():
    book = Book()
    book.apply_snapshot([("-1.5", "1"), ("-2", "2"), ("0", "3")], [("0.5", "1"), ("-0.25", "4")])
    assert book.bids().tolist() == [[0.0, 3.0], [-1.5, 1.0], [-2.0, 2.0]]
    assert book.asks().tolist() == [[-0.25, 4.0], [0.5, 1.0]]
    assert book.spread == -0.25
    assert book.mid == -0.125


def test_a_finer_tick_in_mid_stream_loses_nothing():
    book = Book(tick_size="0.5")
    book.apply_snapshot([("100", "1"), ("99.5", "2"), ("-3.5", "4")], [("100.5", "3")])
    assert book.tick_size == 0.5
    book.apply_delta([("99.9", "5")], [])
    assert book.tick_size == pytest.approx(0.1)
    assert book.bids().tolist() == [[100.0, 1.0], [99.9, 5.0], [99.5, 2.0], [-3.5, 4.0]]
    book.apply_delta([], [("100.499", "1")])
    assert book.asks().tolist() == [[100.499, 1.0], [100.5, 3.0]]
    assert book.bid_qty("-3.5") == 4.0


def test_a_book_checks_its_scales_and_tick():
    for arguments in ({"price_scale": -1}, {"qty_scale": 19}, {"tick_size": "0"}, {"tick_size": "-1"},
                      {"tick_size": "x"}, {"tick_size": "nan"}, {"tick_size": "1e-19"}, {"tick_size": "1e30"}):
        with pytest.raises(ValueError, match=r"scale|tick|number|int64|large"):
            Book(**arguments)
    with pytest.raises(TypeError):
        Book(price_scale="x")
    assert Book(tick_size=0.25).price_scale == 2


def test_top_fills_the_callers_arrays(book):
    bids, asks = np.full((2, 2), -1.0), np.full((4, 2), -1, np.int64)
    assert book.top(bids, asks) == (2, 2)
    assert bids.tolist() == [[100.5, 2.0], [100.4, 0.25]]
    assert asks.tolist() == [[1006, 125], [1010, 300], [-1, -1], [-1, -1]]
    assert book.top(None, asks) == (0, 2)
    assert book.top(np.empty((0, 2)), None) == (0, 0)


@pytest.mark.parametrize("array", [
    np.zeros((2, 2), np.float32), np.zeros((2, 2), np.int32), np.zeros((2, 3)), np.zeros(4), np.zeros((2, 2, 1)),
    np.zeros((4, 2))[::2], np.zeros((2, 2), order="F"), np.zeros((2, 2), ">f8"), np.zeros((2, 2), np.uint64),
    [[0.0, 0.0]], "x", 5, np.zeros((2, 2), object),
], ids=lambda array: f"{type(array).__name__}{getattr(array, 'dtype', '')}{getattr(array, 'shape', '')}")
def test_top_refuses_other_arrays(book, array):
    good = np.full((2, 2), -1.0)
    for arguments in ((array, good), (good, array)):
        with pytest.raises(TypeError, match="array"):
            book.top(*arguments)
    assert (good == -1).all()


def test_top_refuses_an_array_that_cannot_be_written(book):
    array = np.zeros((2, 2))
    array.flags.writeable = False
    with pytest.raises(TypeError, match="writeable"):
        book.top(array, None)


def test_what_is_handed_out_is_the_callers_own(book):
    bids = book.bids()
    bids[:] = 0
    book.apply_delta([("100.5", "9")], [])
    assert (bids == 0).all()
    assert book.best_bid == (100.5, 9.0)


def test_a_negative_count_is_an_error(book):
    with pytest.raises(ValueError, match="n is 0 or more"):
        book.bids(-1)


@pytest.mark.parametrize("text", ["0.1", "100", "0.00000001", "-3.5", "123456789.987654321", "0",
                                  "92233720368.54775807"])
def test_text_goes_in_and_out_exactly(text):
    book = Book()
    book.apply_snapshot([(text, "1")], [])
    units = book.best_bid_int[0]
    assert book.price_text(units) == text
    assert book.price_decimal(units) == Decimal(text)
    book.apply_snapshot([("1", text.lstrip("-"))], [(text, "0")])
    if Decimal(text):
        assert book.qty_text(book.best_bid_int[1]) == text.lstrip("-")


def test_names_of_states_and_sides():
    assert [(state.name, int(state)) for state in BookState] == [("EMPTY", 0), ("SYNCING", 1), ("LIVE", 2),
                                                                 ("STALE", 3)]
    assert (Side.BID, Side.ASK) == (0, 1)
    assert issubclass(BookNotLive, BookError)
    assert issubclass(BookError, ValueError)


def test_repr_says_state_and_size(book):
    assert repr(book) == "<Book LIVE 3 bids 2 asks>"


# ---- memory

def test_twenty_adjacent_levels_a_side_take_less_than_64_kb():
    book = Book()
    book.apply_snapshot([(f"{100 - i / 100:.2f}", "1") for i in range(20)],
                        [(f"{100.01 + i / 100:.2f}", "1") for i in range(20)])
    assert book.nbytes < 64 * 1024


def test_memory_follows_the_pages_not_the_range():
    book = Book()
    book.apply_snapshot([("0.00000001", "1")], [("1000000", "1")])
    book.apply_delta([("999999.99999999", "1"), ("500000", "1")], [])
    assert book.nbytes < 64 * 1024
    book.apply_delta([(f"{i * 1000}", "1") for i in range(1, 1001)], [])        # each alone in its page
    assert book.nbytes < 1003 * 1500


def test_memory_does_not_grow_when_levels_come_and_go():
    book = Book()
    book.apply_snapshot([("1", "1")], [("2", "1")])
    for i in range(40):
        book.apply_delta([(str(1000 * i + j), "1") for j in range(0, 640, 64)], [])
        book.apply_delta([(str(1000 * i + j), "0") for j in range(0, 640, 64)], [])
    peak = book.nbytes
    for i in range(40, 400):
        book.apply_delta([(str(1000 * i + j), "1") for j in range(0, 640, 64)], [])
        book.apply_delta([(str(1000 * i + j), "0") for j in range(0, 640, 64)], [])
    assert book.nbytes == peak
    assert book.bids().tolist() == [[1.0, 1.0]]


def test_twenty_thousand_levels_a_side():
    book = Book()
    rows = np.stack([np.arange(1, 20_001), np.arange(1, 20_001)], axis=1)
    book.apply_snapshot(rows, rows + [20_000, 0])
    assert (book.bid_levels, book.ask_levels) == (20_000, 20_000)
    assert book.bids_int().tolist() == rows[::-1].tolist()
    assert book.asks_int()[-1].tolist() == [40_000, 20_000]
    book.apply_delta(rows * [1, 0], rows[:0])
    assert (book.bid_levels, book.best_bid) == (0, None)
    assert book.nbytes < 20_000 * 2 * 30
