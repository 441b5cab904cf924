"""The protobuf reader: what the wire form allows and refuses, and never a byte past the end."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import _probe, protobuf
from tests.protobuf import message, pairs, span, varint

LEVELS = [("92877.58", "0.00000000"), ("92870.00", "0.5"), ("0.00000001", "123456789")]


def fields(data, inside=()):
    found, offset, expected = _probe.protobuf_fields(data, inside)
    assert (offset, expected) == (len(data), "")
    return found


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 1736411507002, 2**32, 2**63 - 1, 2**63, 2**64 - 1])
def test_numbers_of_64_bits(value):
    assert fields(message((6, value))) == [(6, value)]


def test_a_negative_number_is_its_two_s_complement():
    assert fields(message((6, -1))) == [(6, 2**64 - 1)]


def test_a_number_may_be_written_longer_than_it_has_to_be():
    assert fields(b"\x08\x81\x80\x00") == [(1, 1)]


@pytest.mark.parametrize("number", [1, 15, 16, 313, 2047, 2048, 2**29 - 1])
def test_numbers_of_fields(number):
    assert fields(message((number, "text"), (number, 7))) == [(number, b"text"), (number, 7)]


def test_the_examples_of_the_documentation():
    # https://protobuf.dev/programming-guides/encoding/: a = 150; b = "testing"; c = {a = 150}
    assert fields(bytes.fromhex("089601")) == [(1, 150)]
    assert fields(bytes.fromhex("120774657374696e67")) == [(2, b"testing")]
    assert fields(bytes.fromhex("1a03089601"), {3}) == [(3, [(1, 150)])]


def test_what_is_not_asked_for_is_stepped_over():
    inner = varint(4 << 3 | 3) + varint(4 << 3 | 4)
    group = varint(9 << 3 | 3) + message((1, 5), (2, "x")) + inner + varint(9 << 3 | 4)
    data = varint(7 << 3 | 1) + bytes(8) + varint(8 << 3 | 5) + bytes(4) + group + message((1, "end"))
    assert fields(data) == [(7, None), (8, None), (9, None), (1, b"end")]


def test_messages_inside_messages():
    data = message((1, [(1, [(2, 3)]), (2, 4)]), (2, 5))
    assert fields(data, {1}) == [(1, [(1, [(2, 3)]), (2, 4)]), (2, 5)]


def test_an_empty_message_has_no_fields():
    assert fields(b"") == []
    assert fields(message((1, [])), {1}) == [(1, [])]


@pytest.mark.parametrize(("data", "offset", "expected"), [
    (b"\x80", 1, "the end of a number"),
    (b"\x08", 1, "the end of a number"),
    (b"\x08\xff\xff", 3, "the end of a number"),
    (b"\x08" + b"\xff" * 9 + b"\x02", 10, "a number of 64 bits"),
    (b"\x08" + b"\x80" * 10 + b"\x01", 10, "a number of 64 bits"),
    (b"\x00\x01", 0, "a field"),
    (b"\x0e", 0, "a field"),
    (b"\x0f", 0, "a field"),
    (b"\x80\x80\x80\x80\x10\x01", 0, "a field"),
    (b"\x0a\x05abcd", 1, "a length within the message"),
    (b"\x0a" + b"\xff" * 9 + b"\x01", 1, "a length within the message"),
    (b"\x09" + bytes(7), 1, "a value within the message"),
    (b"\x0d" + bytes(3), 1, "a value within the message"),
    (b"\x0b\x08\x01", 3, "the end of a group"),
    (b"\x0b\x14", 2, "the end of the group that was begun last"),
    (b"\x0c", 1, "the beginning of the group that ends here"),
    (b"\x0b" * 33, 33, "less nesting"),
])
def test_an_error_says_where_and_what(data, offset, expected):
    assert _probe.protobuf_fields(data)[1:] == (offset, expected)


def test_an_error_inside_a_message_keeps_its_place():
    found, offset, expected = _probe.protobuf_fields(message((2, "x"), (1, b"\x0a\x05ab"), (3, 1)), {1})
    assert (offset, expected) == (6, "a length within the message")
    assert found == [(2, b"x"), (1, [])]


def test_levels():
    data = message(*pairs(1, LEVELS), *pairs(2, LEVELS[:1]), (3, "event"), (4, 5), *pairs(1, LEVELS[:2]))
    want = [(price.encode(), qty.encode()) for price, qty in LEVELS]
    assert _probe.protobuf_pairs(data, 1) == (want + want[:2], _probe.Result.OK, len(data))
    assert _probe.protobuf_pairs(data, 2) == (want[:1], _probe.Result.OK, len(data))
    assert _probe.protobuf_pairs(data, 7) == ([], _probe.Result.OK, len(data))
    assert _probe.protobuf_pairs(b"", 1) == ([], _probe.Result.OK, 0)


@pytest.mark.parametrize("level", [
    [(2, "0.5"), (1, "10")],                                    # the other order
    [(1, "10"), (2, "0.5"), (3, 1)],                            # a field more, behind,
    [(9, "x"), (1, "10"), (7, 1), (2, "0.5")],                  # between, before
    [(1, "99"), (1, "10"), (2, "0"), (2, "0.5")],               # the last one counts
    [(1, "10"), (2, 7), (2, "0.5")],                            # of another kind: another field
])
def test_a_level_written_in_another_way(level):
    data = message((1, [(1, "1"), (2, "2")]), (1, level), (1, [(1, "3"), (2, "4")]))
    assert _probe.protobuf_pairs(data, 1)[:2] == ([(b"1", b"2"), (b"10", b"0.5"), (b"3", b"4")], _probe.Result.OK)


def test_long_levels():
    digits = "1" * 200
    assert _probe.protobuf_pairs(message(*pairs(1, [(digits, digits)])), 1)[0] == [(digits.encode(), digits.encode())]
    assert _probe.protobuf_pairs(message(*pairs(300, LEVELS)), 300)[0][0] == (b"92877.58", b"0.00000000")


@pytest.mark.parametrize("level", [[], [(1, "10")], [(2, "0.5")], [(1, ""), (2, "1")], [(1, "1"), (2, "")]])
def test_a_level_lacks_nothing(level):
    found, status, _ = _probe.protobuf_pairs(message((1, [(1, "1"), (2, "2")]), (1, level)), 1)
    assert (found, status) == ([(b"1", b"2")], _probe.Result.BAD_VALUE)


def test_a_cut_list_is_an_error_or_ends_between_two_levels():
    data = message(*pairs(1, LEVELS))
    ends = {len(message(*pairs(1, LEVELS[:n]))): n for n in range(4)}
    for size in range(len(data) + 1):
        found, status, offset = _probe.protobuf_pairs(data[:size], 1)
        assert (status == _probe.Result.OK) == (size in ends)
        assert len(found) == max(n for end, n in ends.items() if end <= size)
        assert offset <= size


def model(data):
    try:
        return protobuf.read(data)[0]
    except ValueError:
        return None


@settings(max_examples=500)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_as_the_model_reads_them(data):
    found, offset, expected = _probe.protobuf_fields(data)
    want = model(data)
    assert (expected == "") == (want is not None)
    assert 0 <= offset <= len(data)
    if want is not None:
        assert found == want
    _probe.protobuf_pairs(data, 1)


def test_flipped_bytes():
    draw = random.Random(5)
    body = [*pairs(1, LEVELS), *pairs(2, LEVELS)]
    whole = message((1, "spot@public"), (3, "BTCUSDT"), (6, 1736411507002), (313, body))
    for turn in range(20000):
        data = bytearray(whole)
        for _ in range(draw.choice((1, 1, 2, 5))):
            data[draw.randrange(len(data))] = draw.randrange(256)
        data = bytes(data[:draw.choice((len(data), draw.randrange(len(data))))])
        found, offset, expected = _probe.protobuf_fields(data)
        want = model(data)
        assert (expected == "") == (want is not None), (turn, data)
        assert want is None or found == want
        found, offset, expected = _probe.protobuf_fields(data, {1, 3, 313})
        assert 0 <= offset <= len(data)
        for number in (1, 2):
            pairs_found, _, offset = _probe.protobuf_pairs(data[-draw.randrange(len(data) + 1):], number)
            assert all(price and qty for price, qty in pairs_found)


def test_the_writer_s_spans_are_what_it_says():
    assert span(1, b"abc") == b"\x0a\x03abc"


# ---- levels without a loop over digits

SIMD = pytest.mark.parametrize("simd", [True, False])
BEFORE = b"x" * 20          # what stands before a list may be looked at

TEXTS = ["0", "1", "0.5", "0.00000000", "92877.58", "92870.00", "12345678.12345678", "1234567.12345678", "99999999.9",
         "0.1", "00.10", "123456789012345.6", "1234567890123456", "1.5", "7", "10.", ".5", "1e3", "-1", "+1", "1.2.3",
         "", ".", "a", "1 ", "1/2", "1:0", "99999999999999999", "0.123456789", "123456789.5", "1.000000000000"]


def careful(text, scale):
    """Units of 10**-scale by the careful reader; None where it refuses or asks for a wider scale."""
    result, value, _ = _probe.units(text.encode(), scale)
    return value if result == _probe.Result.OK else None


def quick(levels, price_scale, qty_scale, simd, before=BEFORE):
    return _probe.protobuf_quick_pairs(before, [message(*pairs(1, levels))], 1, price_scale, qty_scale, simd)[0]


@SIMD
def test_usual_levels_are_all_read_quickly(simd):
    levels = [("92877.58", "0.00000000"), ("92870.00", "0.5"), ("92869.1", "1234567.12345678"), ("1.25", "0.00008235"),
              ("99999999.99", "1.0"), ("92877.59", "0.00000001")]
    want = [(careful(price, 2), careful(qty, 8)) for price, qty in levels]
    assert quick(levels, 2, 8, simd) == want
    assert quick(levels * 50, 2, 8, simd) == want * 50


@SIMD
@pytest.mark.parametrize("scale", [0, 1, 2, 8, 12, 18])
def test_what_is_read_quickly_is_what_is_read_with_care(simd, scale):
    for text in TEXTS:
        for levels in ([(text, "0.5")], [("1.5", text)], [("1.5", "0.5"), (text, text), ("1.5", "0.5")]):
            found = quick(levels, scale, scale, simd)
            assert found == [(careful(price, scale), careful(qty, scale)) for price, qty in levels[:len(found)]], levels


@SIMD
@settings(max_examples=300)
@given(st.data())
def test_any_levels(simd, data):
    text = st.one_of(
        st.from_regex(r"[0-9]{1,9}\.[0-9]{1,9}", fullmatch=True), st.from_regex(r"[0-9]{1,18}", fullmatch=True),
        st.text("0123456789.-+eE/: ", max_size=18), st.sampled_from(TEXTS))
    lists = data.draw(st.lists(st.lists(st.tuples(text, text), max_size=5), max_size=3))
    price_scale, qty_scale = data.draw(st.integers(0, 18)), data.draw(st.integers(0, 18))
    written = [message(*pairs(1, levels)) for levels in lists]
    for levels, found in zip(lists, _probe.protobuf_quick_pairs(BEFORE, written, 1, price_scale, qty_scale, simd),
                             strict=True):
        assert found == [(careful(price, price_scale), careful(qty, qty_scale)) for price, qty in levels[:len(found)]]


@SIMD
def test_quick_levels_of_changed_bytes(simd):
    draw = random.Random(9)
    whole = message(*pairs(1, LEVELS * 3), (3, "event"))
    for _ in range(20000):
        data = bytearray(whole)
        for _ in range(draw.choice((1, 1, 2, 6))):
            data[draw.randrange(len(data))] = draw.choice((draw.randrange(256), 0x2E, 0x30, 0x0A, 0x12, 8))
        data = bytes(data[:draw.choice((len(data), draw.randrange(len(data))))])
        before = b"y" * draw.randrange(20)
        (found,) = _probe.protobuf_quick_pairs(before, [data], 1, 8, 8, simd)
        texts, _, _ = _probe.protobuf_pairs(data, 1)
        assert found == [(careful(price.decode("latin1"), 8), careful(qty.decode("latin1"), 8))
                         for price, qty in texts[:len(found)]]


@SIMD
def test_lists_of_other_fields_are_left(simd):
    for number in (2, 15, 16, 300):
        data = message(*pairs(number, LEVELS[:2]))
        assert _probe.protobuf_quick_pairs(BEFORE, [data], 1, 2, 8, simd) == [[]]
        assert len(_probe.protobuf_quick_pairs(BEFORE, [data], number, 8, 8, simd)[0]) == (2 if number < 16 else 0)


def test_whole_numbers():
    for text in ("0", "7", "12345678", "123456789", "10589632360", "9999999999999999", "0000000000000001"):
        assert _probe.quick_whole(text.encode()) == int(text)
    for text in ("", "12345678901234567", "1.5", "-1", "1e3", "12345678x", "x2345678", "1234/678", "1234:678", " 1"):
        assert _probe.quick_whole(text.encode()) is None
