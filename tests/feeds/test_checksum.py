"""Checksums: the venues' own examples, and random books against zlib.crc32 over texts made with Decimal."""

from __future__ import annotations

import random
import zlib
from decimal import Decimal

import pytest

from feeds import Pipeline
from orderbook import Book
from tests import _probe
from tests.model import plain
from tests.venues import okx

PAIRS, DIGITS, SIGNED = 1, 2, 3
LEVELS = {PAIRS: 25, DIGITS: 10, SIGNED: 25}

# docs.kraken.com/api/docs/guides/spot-ws-book-v2, "Checksum example": price 1 and quantity 8 decimals.
KRAKEN = (
    [("45283.5", "0.10000000"), ("45283.4", "1.54582015"), ("45282.1", "0.10000000"), ("45281.0", "0.10000000"),
     ("45280.3", "1.54592586"), ("45279.0", "0.07990000"), ("45277.6", "0.03310103"), ("45277.5", "0.30000000"),
     ("45277.3", "1.54602737"), ("45276.6", "0.15445238")],
    [("45285.2", "0.00100000"), ("45286.4", "1.54571953"), ("45286.6", "1.54571109"), ("45289.6", "1.54560911"),
     ("45290.2", "0.15890660"), ("45291.8", "1.54553491"), ("45294.7", "0.04454749"), ("45296.1", "0.35380000"),
     ("45297.5", "0.09945542"), ("45299.5", "0.18772827")])

# A recorded tXRPBTC book of Bitfinex, kept in the tests of its Go client; its checksum frame says -1175357890.
BITFINEX = (
    "0.0000011:266122.94 0.00000109:500793.10790141 0.00000108:776367.43 0.00000107:23329.54842056 "
    "0.00000106:116868.87735849 0.00000105:205000 0.00000103:227308.25386407 0.00000102:105000 0.00000101:2970 "
    "0.000001:21000 7e-7:10000 6.6e-7:10000 6e-7:100000 4.9e-7:10000 2.5e-7:2000 6e-8:100000 5e-8:200000 1e-8:640000",
    "0.00000111:4847.13 0.00000112:528102.69042633 0.00000113:302397.07 0.00000114:339088.93 0.00000126:245944.06 "
    "0.00000127:5000 0.0000013:5000 0.00000134:8249.18938656 0.00000136:13161.25184766 0.00000145:2914 "
    "0.0000015:54448.5 0.00000152:5538.54849594 0.00000153:62691.75475079 0.00000159:2914 0.0000016:52631.10296831 "
    "0.00000164:4000 0.00000166:3831.46784605 0.00000171:14575.17730379 0.00000174:3124.81815395 0.0000018:18000 "
    "0.00000182:16000 0.00000186:4000 0.00000189:10000.686624 0.00000191:14500 0.00000193:2422")


def js(number: Decimal) -> str:
    """A number as JavaScript writes it."""
    text = repr(float(number))
    if "e-" in text:
        digits, _, exponent = text.partition("e-")
        if int(exponent) <= 6:                        # Python's exponents begin at 1e-05, those of JavaScript at 1e-7
            return plain(number)
        return f"{digits.removesuffix('.0')}e-{int(exponent)}"
    return text.removesuffix(".0") if "e" not in text else plain(number)


def fixed(number: Decimal, decimals: int) -> str:
    """With this many decimals, or (0) as few as it takes."""
    return f"{number:.{decimals}f}" if decimals else plain(number)


def by_turns(bids, asks, write) -> str:
    parts = []
    for i in range(25):
        parts += [write(*levels[i], sign) for sign, levels in ((1, bids), (-1, asks)) if i < len(levels)]
    return ":".join(parts)


def pairs_text(bids, asks, price_fixed, qty_fixed) -> str:
    return by_turns(bids, asks, lambda price, qty, _: f"{fixed(price, price_fixed)}:{fixed(qty, qty_fixed)}")


def signed_text(bids, asks) -> str:
    return by_turns(bids, asks, lambda price, qty, sign: f"{js(price)}:{js(sign * qty)}")


def digits_text(bids, asks, price_printed, qty_printed) -> str:
    return "".join(f"{number:.{printed}f}".replace(".", "").lstrip("0")
                   for levels in (asks, bids) for level in levels[:10]
                   for number, printed in zip(level, (price_printed, qty_printed), strict=True))


def crc32(text: str) -> int:
    return zlib.crc32(text.encode())


def book_of(bids, asks) -> Book:
    book = Book()
    book.apply_snapshot(bids, asks)
    return book


# ---- examples of the venues' documents

def test_krakens_example():
    book = book_of(*KRAKEN)
    assert _probe.checksum(book, DIGITS, 0, 0, 1, 8) == 3310070434


def test_bitfinexs_example():
    bids, asks = ([level.split(":") for level in side.split()] for side in BITFINEX)
    assert _probe.checksum(book_of(bids, asks), SIGNED) == -1175357890 % 2**32


def test_bitgets_example():
    bids, asks = [("43231.1", "4"), ("43231", "6")], [("43232.8", "9"), ("43232.9", "8")]
    assert _probe.checksum(book_of(bids, asks), PAIRS) == -1504501796 % 2**32


def test_a_checksum_of_two_levels_a_side():
    bids, asks = [("3366.1", "7"), ("3366", "6")], [("3366.8", "9"), ("3368", "8")]
    assert _probe.checksum(book_of(bids, asks), PAIRS) == crc32("3366.1:7:3366.8:9:3366:6:3368:8")
    bids, asks = [("6000", "1"), ("5900", "2")], [("6100", "3"), ("6200", "4")]
    assert _probe.checksum(book_of(bids, asks), SIGNED) == crc32("6000:1:6100:-3:5900:2:6200:-4")


def test_one_side_longer_than_the_other():
    bids = [("3366.1", "7")]
    asks = [("3366.8", "9"), ("3368", "8"), ("3372", "8")]
    assert _probe.checksum(book_of(bids, asks), PAIRS) == crc32("3366.1:7:3366.8:9:3368:8:3372:8") == 831078360
    assert _probe.checksum(book_of(bids, []), PAIRS) == crc32("3366.1:7")
    assert _probe.checksum(book_of([], asks), PAIRS) == crc32("3366.8:9:3368:8:3372:8")


@pytest.mark.parametrize("recipe", [PAIRS, DIGITS, SIGNED])
def test_an_empty_book_has_the_checksum_of_nothing(recipe):
    assert _probe.checksum(book_of([], []), recipe) == 0


# ---- the hash and the numbers

def test_the_hash_is_that_of_zlib(seed):
    rng = random.Random(seed)
    for size in [*range(40), 100, 1000, 4097]:
        text = rng.randbytes(size)
        assert _probe.crc(text) == zlib.crc32(text)


@pytest.mark.parametrize(("units", "scale", "decimals", "text"), [
    (1234500, 4, 0, "123.45"), (1234500, 4, 2, "123.45"), (1234500, 4, 4, "123.4500"), (1234500, 4, 6, "123.450000"),
    (100, 0, 0, "100"), (100, 0, 3, "100.000"), (5, 3, 0, "0.005"), (5, 3, 1, "0.005"), (50, 3, 1, "0.05"),
    (-25, 1, 0, "-2.5"), (0, 5, 0, "0"), (2**63 - 1, 18, 0, "9.223372036854775807"), (-(2**63), 0, 0, str(-(2**63))),
    (10**18, 18, 0, "1"), (1, 18, 0, "0.000000000000000001")])
def test_numbers_with_few_or_fixed_decimals(units, scale, decimals, text):
    assert _probe.written("number", units, scale, decimals) == text


@pytest.mark.parametrize(("units", "scale", "printed", "text"), [
    (453, 1, 1, "453"), (453, 1, 5, "4530000"), (5, 3, 3, "5"), (5000, 3, 1, "50"), (10000000, 8, 8, "10000000"),
    (4528350000, 5, 1, "452835")])
def test_digits_without_a_point(units, scale, printed, text):
    assert _probe.written("digits", units, scale, printed) == text


@pytest.mark.parametrize(("units", "scale", "text"), [
    (0, 5, "0"), (1, 6, "0.000001"), (1, 7, "1e-7"), (123, 9, "1.23e-7"), (-5, 8, "-5e-8"), (1500, 3, "1.5"),
    (100, 0, "100"), (25, 2, "0.25"), (10**9, 18, "1e-9"), (123456789, 18, "1.23456789e-10"), (-1, 6, "-0.000001"),
    (6000, 0, "6000")])
def test_numbers_as_a_script_writes_them(units, scale, text):
    assert _probe.written("script", units, scale) == text
    assert js(Decimal(units).scaleb(-scale)) == text


def test_random_numbers_in_all_ways(seed):
    rng = random.Random(seed)
    for _ in range(20_000):
        scale, digits = rng.randint(0, 18), rng.randint(1, 15)
        units = rng.randint(0, 10**digits)
        number = Decimal(units).scaleb(-scale)
        assert _probe.written("script", units, scale) == js(number)
        decimals = rng.choice([0, rng.randint(0, 18)])
        least = len(plain(number).partition(".")[2])
        assert _probe.written("number", units, scale, decimals) == (
            f"{number:.{max(decimals, least)}f}" if decimals else plain(number))
        printed = rng.randint(least, 18 - max(0, digits - 1)) if digits - 1 + least <= 18 else scale
        if printed >= least and units * 10 ** max(printed - scale, 0) < 2**63:
            assert _probe.written("digits", units, scale, printed) == (
                f"{number:.{printed}f}".replace(".", "").lstrip("0") or "0")


# ---- whole books

@pytest.mark.parametrize("recipe", [PAIRS, DIGITS, SIGNED])
def test_random_books_with_every_way_of_printing(recipe, seed):
    rng = random.Random(f"{seed} {recipe}")
    for _ in range(400):
        places, lots = rng.choice([0, 1, 2, 5, 8]), rng.choice([0, 1, 3, 8])
        middle = rng.randint(1000, 10**7)

        def level(low, high, places=places, lots=lots):
            price = Decimal(rng.randint(low, high)).scaleb(-places)
            return price, Decimal(rng.randint(1, 10 ** rng.randint(1, 6))).scaleb(-lots)

        bids = dict(level(max(1, middle - 200), middle) for _ in range(rng.randint(0, 40)))
        asks = dict(level(middle + 1, middle + 200) for _ in range(rng.randint(0, 40)))
        bids, asks = sorted(bids.items(), reverse=True), sorted(asks.items())
        book = book_of(bids, asks)
        if recipe == DIGITS:
            for printed in ((places, lots), (places + 2, lots + 1), (5, 8)):
                if printed[0] >= places and printed[1] >= lots:
                    assert _probe.checksum(book, DIGITS, 0, 0, *printed) == crc32(digits_text(bids, asks, *printed))
        elif recipe == PAIRS:
            for decimals in ((0, 0), (places, lots), (places, 0), (0, lots), (places + 3, lots + 3)):
                assert _probe.checksum(book, PAIRS, *decimals) == crc32(pairs_text(bids, asks, *decimals)), decimals
        else:
            assert _probe.checksum(book, SIGNED) == crc32(signed_text(bids, asks))


def test_a_level_beyond_those_that_count_changes_nothing():
    bids = [(100 - i, 1) for i in range(40)]
    asks = [(101 + i, 1) for i in range(40)]
    for recipe, count in LEVELS.items():
        book = book_of(bids, asks)
        before = _probe.checksum(book, recipe)
        book.apply_delta([(100 - count, 7)], [(101 + count, 7)])
        assert _probe.checksum(book, recipe) == before
        book.apply_delta([(101 - count, 7)], [])
        assert _probe.checksum(book, recipe) != before


@pytest.mark.parametrize("zeros", [17, 18, 19, 31, 400])
def test_numbers_written_with_more_decimals_than_can_be_kept(zeros):
    """What the venue then hashes cannot be made again, so the book is not LIVE; nothing is written past the text."""
    pipeline = Pipeline("okx")
    price = f"7.{'0' * zeros}"
    pipeline.feed(okx.book("BTC-USDT", "snapshot", -1, 1, [(price, price)] * 30, [(f"8.{'0' * zeros}", price)],
                           checksum=77))
    assert pipeline.counters["errors"] == 0
    assert (pipeline.book("BTC-USDT").status.name, pipeline.symbol_stats("BTC-USDT")["crc_bad"]) == ("STALE", 1)
