"""The JSON cursor: what json.loads takes and refuses, the same, and never a byte past the end."""

from __future__ import annotations

import json
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import _probe

GOOD = [
    b"{}", b"[]", b'""', b"0", b"-0", b"1.5", b"-1.5e+10", b"1E5", b"true", b"false", b"null", b" [ ] ", b"\t{\r\n}\n",
    b'{"a":1}', b'{"a":{"b":[1,"x",null]},"c":[]}', b'[[["1","2"],["3","4"]],{}]', b'"\\""', b'"\\\\"',
    b'"\\u00e9\xc3\xa9"',
    b'{"":""}', b'{"a":1,"a":2}', b"[1 , 2]", b'{ "a" : [ 1 , { "b" : 2 } ] }', b"123456789012345678901234567890",
    b"[" * 32 + b"]" * 32,
]
BAD = [
    b"", b" ", b"{", b"}", b"[", b"]", b'"', b'"a', b'"\\"', b'"\\', b"[1", b"[1,", b"[1,]", b"[,1]", b"[1 2]", b"[}",
    b"{]",
    b'{"a"}', b'{"a":}', b'{"a":1,}', b'{,"a":1}', b'{"a":1 "b":2}', b"{a:1}", b"{1:2}", b'{"a":1}}', b"[1]]", b"1 2",
    b"01", b"-", b"--1", b"+1", b".5", b"5.", b"1e", b"1e+", b"1.e5", b"0x1", b"1_0", b"tru", b"truee", b"nul", b"NULL",
    b"None", b"True", b"'a'", b"\x00", b"[1]\x00", b"\xff", b"[\xff]", b"undefined", b'{"a":tru}', b'{"a" 1}',
    b'["a""b"]',
]


@pytest.mark.parametrize("text", GOOD)
def test_valid_json_is_taken(text):
    json.loads(text)
    assert _probe.scan(text) == (True, len(text), "")


@pytest.mark.parametrize("text", BAD)
def test_invalid_json_is_refused(text):
    with pytest.raises(ValueError):
        json.loads(text)
    accepted, offset, expected = _probe.scan(text)
    assert not accepted
    assert 0 <= offset <= len(text)
    assert expected


@pytest.mark.parametrize(("text", "offset", "expected"), [
    (b'{"a":1,}', 7, "a key"), (b'{"a":1', 6, "',' or '}'"), (b"[1,2", 4, "',' or ']'"), (b'{"a"', 4, "':'"),
    (b'{"a":-x}', 6, "a number"), (b'{"a":1.x}', 7, "a digit after '.'"), (b'{"a":1e}', 7, "an exponent"),
    (b'{"a":"b', 7, "'\"' at the end of a string"), (b"[nil]", 1, "a value"), (b"[1] 2", 4, "the end of the message"),
])
def test_an_error_says_where_and_what(text, offset, expected):
    assert _probe.scan(text) == (False, offset, expected)


def test_nesting_has_a_limit():
    accepted, offset, expected = _probe.scan(b"[" * 33 + b"]" * 33)
    assert (accepted, offset, expected) == (False, 32, "less nesting")
    assert not _probe.scan(b"[" * 1_000_000)[0]
    assert not _probe.scan(b'{"a":' * 1_000_000)[0]


def strict_json(text):
    """Whether Python takes the text, too, once escapes are put out of sight: of a string only the end is looked for."""
    def refuse(word):
        raise ValueError(word)

    text = re.sub(r"\\.", "xx", text.decode("latin-1"), flags=re.DOTALL)
    try:
        json.loads(text, strict=False, parse_constant=refuse)
    except ValueError:
        return False
    return True


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4), max_leaves=12)


@given(VALUES, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_whatever_python_writes_is_taken(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert _probe.scan(text) == (True, len(text), "")


@given(VALUES, st.data())
@settings(max_examples=300)
def test_a_changed_byte_is_judged_as_python_does(value, data):
    text = bytearray(json.dumps(value, ensure_ascii=True).encode())
    at = data.draw(st.integers(0, len(text) - 1))
    text[at] = data.draw(st.sampled_from(b'{}[]:,"\\019-+.eEtn x\x00\x7f\xff'))
    text = bytes(text)
    assert _probe.scan(text)[0] == strict_json(text), text


def test_a_cut_at_any_byte_is_refused():
    text = b'{"e":"depthUpdate","E":1671656397761,"b":[["1209.67","85.4821"],["1","2"]],"a":[],"m":true,"n":null}'
    for end in range(len(text)):
        accepted, offset, expected = _probe.scan(text[:end])
        assert not accepted, text[:end]
        assert offset <= end
        assert expected


def test_random_text_never_crashes(seed):
    rng = random.Random(seed)
    alphabet = b'{}[]:,"\\0123456789-+.eEtrufalsn \n\x00\xff'
    taken = 0
    for _ in range(30_000):
        text = bytes(rng.choices(alphabet, k=rng.randint(0, 12)))
        accepted, offset, _ = _probe.scan(text)
        assert 0 <= offset <= len(text)
        assert accepted == strict_json(text), text
        taken += accepted
    assert taken > 100


def test_every_status_has_words():
    words = {_probe.status_words(result) for result in _probe.Result}
    assert len(words) >= len(_probe.Result) - 1
    assert all(words)
