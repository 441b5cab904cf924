"""Which copy of a message counts, as tables of numbers: two or more lines, a book that stands somewhere."""

from __future__ import annotations

import random

import pytest

from feeds.venue import Link
from tests._probe import Fate, Lanes, NewestOf, RecentIds, TradeIds, comparable

FIRST, COPY, HOLD, MISSING, ANEW = Fate
A, B, C = 0, 1, 2                       # places
ONE, TWO, THREE = 0b001, 0b011, 0b111   # those that are open
CHAIN, COUNTER, RANGE = Link.CHAIN, Link.COUNTER, Link.RANGE


def test_rules_whose_numbers_show_that_one_is_missing_can_be_compared():
    assert [link for link in Link if comparable(link)] == [
        Link.RANGE, Link.PREVIOUS, Link.COUNTER, Link.CHAIN, Link.NOT_BELOW, Link.OVERLAP, Link.OVERLAP_OR_WHOLE]


def lanes(*brought, link=COUNTER):
    """Lines that have brought these numbers last; None: one that is known to be subscribed, no more."""
    found = Lanes()
    for place, number in enumerate(brought):
        if number is None:
            found.carries(place)
        else:
            assert found.note(place, number, link) == FIRST
    return found


# ---- what is a message to a book that stands at 10?

@pytest.mark.parametrize(("brought", "places", "final", "options", "fate"), [
    # The next one is first, whoever brings it; what is there already is a copy.
    ((10, 10), TWO, 11, {}, FIRST),
    ((10, 9), TWO, 11, {}, FIRST),
    ((10, 10), TWO, 10, {}, COPY),
    ((10, 10), TWO, 3, {}, COPY),
    # One is missing: another open line that has not gone past it may bring it.
    ((12, 10), TWO, 12, {}, HOLD),
    ((12, 9), TWO, 12, {}, HOLD),
    ((12, None), TWO, 12, {}, HOLD),                        # subscribed, and has brought nothing yet
    ((12, 11), TWO, 12, {}, MISSING),                       # it has gone past
    ((12, 10), ONE, 12, {}, MISSING),                       # it is not open
    ((12,), TWO, 12, {}, MISSING),                          # it does not carry the book
    ((12, 11, 10), THREE, 12, {}, HOLD),
    ((12, 11, 11), THREE, 12, {}, MISSING),
    # Without a snapshot there is nothing to compare with: all are kept for it.
    ((12, 12), TWO, 12, {"has_snapshot": False}, FIRST),
    # A book that is not settled may need again what another line has not brought.
    ((10, 8), TWO, 9, {"settled": False}, FIRST),
    ((10, 9), TWO, 9, {"settled": False}, COPY),
    ((10, 10), TWO, 9, {"settled": False}, COPY),
    ((10, 9), ONE, 9, {"settled": False}, FIRST),           # that line is gone
    ((9, 8), TWO, 9, {"settled": False}, FIRST),            # what it has brought itself does not count
])
def test_a_counter(brought, places, final, options, fate):
    assert lanes(*brought).fate(A, places, COUNTER, 10, final, final, final - 1, **options) == fate


@pytest.mark.parametrize(("brought", "places", "final", "fate"), [
    ((20, 10), TWO, 20, COPY),          # the other line goes on: what lies between comes from it
    ((20, 10), ONE, 20, FIRST),         # there is no other
    ((20, 11), TWO, 20, FIRST),         # it has gone past 10 without bringing 11
    ((10, 10), TWO, 10, COPY),
    ((9, 11), TWO, 9, COPY),            # the book is past it
])
def test_a_snapshot_in_the_stream_of_a_further_line(brought, places, final, fate):
    assert lanes(*brought).fate(A, places, COUNTER, 10, final, whole=True) == fate


@pytest.mark.parametrize(("final", "fate"), [(9, COPY), (10, COPY), (11, FIRST), (900, FIRST)])
def test_whole_books_each_count_if_they_are_newer(final, fate):
    assert lanes(final, 10, link=Link.NOT_BELOW).fate(A, TWO, Link.NOT_BELOW, 10, final, whole=True) == fate


@pytest.mark.parametrize(("final", "prev", "settled", "fate"), [
    (10, 10, True, FIRST),              # a keep-alive: nothing has happened, and that is news
    (10, 9, True, COPY),
    (11, 10, True, FIRST),
    (15, 10, True, FIRST),              # ids of a chain leap
    (15, 12, True, HOLD),
])
def test_a_chain(final, prev, settled, fate):
    assert lanes(final, 10, link=CHAIN).fate(A, TWO, CHAIN, 10, final, 0, prev, settled=settled) == fate


@pytest.mark.parametrize(("joined", "first", "final", "fate"), [
    (True, 11, 14, FIRST), (True, 9, 14, FIRST), (True, 12, 14, HOLD), (False, 5, 14, FIRST), (False, 12, 14, HOLD),
    (True, 8, 10, COPY)])
def test_ranges(joined, first, final, fate):
    assert lanes(final, 10, link=RANGE).fate(A, TWO, RANGE, 10, final, first, joined=joined) == fate


# ---- what the lines have brought

def test_who_carries_a_book():
    found = lanes(10, None)
    assert [found.carried(places) for places in (ONE, 0b10, 0b100, TWO)] == [True, True, False, True]
    found.forget(A)
    assert [found.carried(places) for places in (ONE, TWO)] == [False, True]
    assert found.line(A) == (False, False, 0, 0, 0)


@pytest.mark.parametrize(("places", "last", "may"), [
    (ONE, 9, False), (ONE, 10, True), (ONE, 11, True), (0b10, 9, True), (0b100, 11, False), (0, 11, False)])
def test_who_may_still_bring_what_follows(places, last, may):
    assert lanes(10, None).may_bring(places, last) == may


def test_numbers_below_a_lines_own_past_are_strays_until_they_are_too_many():
    found = lanes(100, 100)
    for number in range(1, 9):
        assert found.note(A, number, COUNTER) == FIRST
        assert found.line(A)[2] == 100                      # its past stays
    assert found.epoch == 0
    assert found.note(A, 9, COUNTER) == ANEW
    assert found.epoch == 1
    assert found.line(A) == (True, True, 9, 1, 0)
    assert not found.carried(0b10)                          # the other is of the time before
    assert not found.may_bring(0b10, 1000)
    assert found.note(B, 101, COUNTER) == COPY
    assert found.note(A, 10, COUNTER) == FIRST
    for number in range(1, 9):
        assert found.note(B, number, COUNTER) == COPY
    assert found.note(B, 9, COUNTER) == FIRST               # it has come after, and is the second to say so
    assert found.epoch == 1
    assert found.carried(0b10)


def test_one_number_that_rises_ends_a_row_of_falls():
    found = lanes(100)
    for _ in range(5):
        for number in range(1, 9):
            assert found.note(A, number, COUNTER) == FIRST
        assert found.note(A, 100, COUNTER) == FIRST         # not below
    assert found.epoch == 0
    assert found.line(A) == (True, True, 100, 0, 0)


def test_a_chain_that_says_where_it_falls_from_is_believed_at_once():
    found = lanes(100, 100, link=CHAIN)
    assert found.note(A, 50, CHAIN, prev=99) == FIRST
    assert found.note(A, 5, CHAIN, prev=100) == ANEW
    assert found.line(A) == (True, True, 5, 1, 0)


def test_a_snapshot_in_the_stream_begins_a_line_anew():
    found = lanes(100, 100)
    for number in range(1, 7):
        found.note(A, number, COUNTER)
    assert found.note(A, 30, COUNTER, whole=True) == FIRST
    assert found.line(A) == (True, True, 30, 0, 0)
    for number in range(1, 10):
        found.note(B, number, COUNTER)
    assert found.epoch == 1
    assert found.note(A, 31, COUNTER) == COPY
    assert found.note(A, 12, COUNTER, whole=True) == FIRST  # of the new time
    assert found.line(A) == (True, True, 12, 1, 0)


def test_whole_books_are_messages_like_others():
    found = lanes(100, link=Link.NOT_BELOW)
    for number in range(1, 9):
        assert found.note(A, number, Link.NOT_BELOW, whole=True) == FIRST
    assert found.note(A, 9, Link.NOT_BELOW, whole=True) == ANEW


# ---- ids

def test_recent_ids_are_found_until_so_many_have_come():
    recent = RecentIds()
    assert recent.find(0) is None
    for number in range(300):
        recent.add(number, 10 * number, number % 3)
    assert recent.find(299) == (2990, 2)
    assert recent.find(44) == (440, 2)
    assert recent.find(43) is None
    recent.add(299, 7, 1)
    assert recent.find(299) == (7, 1)                       # the newest of the same


def test_ids_that_rise():
    ids = TradeIds()
    assert [ids.new(place, number) for place, number in (
        (A, 5), (B, 5), (B, 6), (A, 6), (A, 8), (B, 7), (A, 9), (B, 8), (B, 9))] == [
        True, False, True, False, True, True, True, False, False]
    assert not ids.falls


def test_ids_that_were_told_before_are_not_told_again():
    ids = TradeIds()
    ids.begin(50)
    assert [ids.new(A, number) for number in (49, 50, 51)] == [False, False, True]
    assert not ids.new(B, 50)


def test_ids_older_than_all_that_are_kept_are_copies_until_they_are_too_many():
    ids = TradeIds()
    for number in range(1, 301):
        assert ids.new(A, number)
    assert not ids.new(B, 44)                               # too old to tell: 45 is the oldest that is kept
    for _ in range(255):
        assert not ids.new(B, 44)
    assert not ids.falls
    assert ids.new(B, 44)                                   # the 257th: ids have begun again
    assert ids.falls
    assert ids.new(A, 7)


def test_an_id_is_too_old_to_be_told_only_if_all_that_could_be_kept_are():
    """B brings what A has lacked: it is new as long as every id that was ever told is kept."""
    ids = TradeIds()
    for number in range(1001, 1256):
        assert ids.new(A, number)
    assert ids.new(B, 999)                                  # the 256th: with it all places are taken
    assert not ids.new(B, 1001)
    ids = TradeIds()
    for number in range(1001, 1257):
        assert ids.new(A, number)
    assert not ids.new(B, 999)
    assert not ids.falls


def test_ids_of_before_that_are_not_in_a_row_stay_copies():
    ids = TradeIds()
    for number in range(1, 301):
        ids.new(A, number)
    for number in range(301, 304):
        for _ in range(200):
            assert not ids.new(B, 3)
        assert ids.new(A, number)
    assert not ids.falls


def test_a_trade_that_one_line_has_lacked_ends_a_row_of_older_ones():
    ids = TradeIds()
    for number in range(2, 602, 2):
        ids.new(A, number)
    for late in (597, 599):
        for _ in range(200):
            assert not ids.new(B, 3)
        assert ids.new(C, late)                             # below the highest, and nobody has brought it
    assert not ids.falls


def test_ids_without_order_are_told_by_memory_alone():
    ids = TradeIds()
    assert [ids.new(A, number) for number in (100, 20, 500)] == [True, True, True]
    assert ids.falls
    assert [ids.new(B, number) for number in (100, 20, 500, 7)] == [False, False, False, True]


def test_any_two_lines_give_every_trade_once(seed):
    """Ids rise on each line; each line may lack some that the other brings, and lags by less than what is kept."""
    for turn in range(100):
        dice = random.Random(f"{seed} {turn}")
        every = sorted(dice.sample(range(1, 2000), 300))
        lost = [{number for number in every if dice.random() < 0.1} for _ in (A, B)]
        lost[B] -= lost[A]
        queues = [[number for number in every if number not in gone] for gone in lost]
        ids, told = TradeIds(), []
        while any(queues):
            behind = max(len(queues[A]), len(queues[B])) - min(len(queues[A]), len(queues[B])) > 100
            place = max((A, B), key=lambda it: len(queues[it])) if behind else dice.choice(
                [it for it in (A, B) if queues[it]])
            number = queues[place].pop(0)
            if ids.new(place, number):
                told.append(number)
        assert sorted(told) == every, turn


# ---- the newest

def test_only_what_is_newer_counts():
    newest = NewestOf()
    assert [newest.takes(place, number) for place, number in (
        (A, 10), (B, 9), (B, 10), (A, 10), (B, 11), (A, 11), (A, 12), (B, 12), (B, 12))] == [
        True, False, False, True, True, False, True, False, False]


def test_a_line_that_falls_below_itself_is_followed():
    newest = NewestOf()
    assert newest.takes(A, 100)
    assert newest.takes(A, 5)                               # it began anew
    assert newest.takes(B, 50)
    assert not newest.takes(A, 6)
    assert newest.takes(A, 51)


def test_a_hundred_older_ones_in_a_row_are_copies_and_more_are_not():
    newest = NewestOf()
    assert newest.takes(A, 1000)
    for number in range(1, 101):
        assert not newest.takes(B, number)
    assert newest.takes(B, 101)
    assert newest.takes(B, 102)
    newest.takes(A, 2000)
    for number in range(103, 203):
        assert not newest.takes(B, number)
    assert newest.takes(A, 2001)                            # the row is over
    assert not newest.takes(B, 203)


def test_a_line_that_was_forgotten_does_not_fall():
    newest = NewestOf()
    newest.takes(A, 100)
    newest.takes(B, 100)
    newest.forget(B)
    assert not newest.takes(B, 50)
