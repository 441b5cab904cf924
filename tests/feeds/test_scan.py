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


# ---- what parsers take

FIELDS = (("p", "PRICE", "PRICE"), ("q", "QTY", "QTY"), ("t", "TIME", "TIME"), ("i", "ID", "TRADE_ID"),
          ("d", "DOUBLE", "SPARE"), ("s", "SYMBOL", "SPARE"), ("w", "TEXT", "SPARE"), ("m", "BOOL", "SPARE"),
          ("x", "ANY", "SPARE"), ("b", "LEVELS", "BIDS"), ("a", "LEVELS", "ASKS"))
PAIR = _probe.Levelform(("price", "qty"))


def taking(text, fields=FIELDS, **more):
    return _probe.Taking(text if isinstance(text, bytes) else text.encode(), fields, PAIR, **more)


def test_an_object_is_taken_by_its_keys():
    found = taking('{"s":"BTC","q":2.5,"new":{"a":[1,"x"]},"p":"1.50","w":"trade","b":[["1","2"]],"m":true,"n":"z",'
                   '"k":7}')
    assert found.object()
    assert found.end()
    assert found.tokens == [
        ("SYMBOL", "SPARE", "BTC"), ("QTY", "QTY", "2.5"), ("PRICE", "PRICE", "1.50"), ("LEVELS", 0, '[["1","2"]]'),
        ("BOOL", "SPARE", "true"), ("TEXT", "SPARE", "z"), ("DOUBLE", "SPARE", "7")]
    assert found.symbol == ("BTC", False)
    assert (found.sees("PRICE"), found.sees("TIME")) == (True, False)


@pytest.mark.parametrize(("key", "value", "tokens"), [
    ("p", "null", []), ("p", '""', []), ("q", '""', []), ("t", "null", []), ("i", '""', []), ("d", "null", []),
    ("d", '""', [("DOUBLE", "SPARE", "")]), ("p", "-1.5e3", [("PRICE", "PRICE", "-1.5e3")]),
    ("p", '"x"', [("PRICE", "PRICE", "x")]),                # refused when it is converted
    ("t", '"2026-08-24T22:34:13Z"', [("TIME", "TIME", "2026-08-24T22:34:13Z")]),
    ("x", "[1,2]", []), ("x", "null", []), ("x", '"y"', [("TEXT", "SPARE", "y")]), ("w", "[1]", [])])
def test_a_value_is_taken_as_its_field_says(key, value, tokens):
    found = taking(f'{{"{key}":{value}}}')
    assert found.object()
    assert found.tokens == tokens


@pytest.mark.parametrize("text", [
    '{"p":true}', '{"p":[1]}', '{"q":{}}', '{"m":1}', '{"m":"true"}', '{"s":5}', '{"s":null}', '{"b":{}}',
    '{"b":null}', '{"b":"x"}', '{"b":[1', '{"p":1', '{"p"}', "[1]", "7", "", '{"p":-}', '{"p":1,}', '{"t":tru}',
    '{"s":"x}'])
def test_a_value_of_another_kind_is_refused(text):
    found = taking(text)
    assert not found.object()
    assert found.error
    assert 0 <= found.place <= len(text)


def test_an_array_is_taken_by_its_places():
    fields = (("0", "ANY", "SPARE"), ("1", "PRICE", "PRICE"), ("2", "QTY", "QTY"), ("3", "TEXT", "SPARE"))
    for text, tokens in (
        ('[5,"1.5",2,"te"]', [("DOUBLE", "SPARE", "5"), ("PRICE", "PRICE", "1.5"), ("QTY", "QTY", "2")]),
        ("[null,null,2]", [("QTY", "QTY", "2")]), ("[]", []),
        ('[{"a":1},1,2,[3],4,"x",null]', [("PRICE", "PRICE", "1"), ("QTY", "QTY", "2"), ("DOUBLE", "SPARE", "4"),
                                           ("TEXT", "SPARE", "x")]),
    ):
        found = taking(text, fields)
        assert found.array(), text
        assert found.tokens == tokens
        assert found.end()
    for text in ("{}", "[1", "[1,", '[1,"2"', "[1,true]", "[1 2]", ""):
        assert not taking(text, fields).array(), text


@pytest.mark.parametrize(("word", "text", "found"), [
    (b"event", '{"event":"book"}', b"book"), (b"event", '{"a":{"event":"no"},"b":[],"event":"yes"}', b"yes"),
    (b"event", '{"event":7}', None), (b"event", ' { "event" : "x" } ', b"x"),
    (b"event", '{"events":"x"}', None), (b"event", "{}", None), (b"event", '["event"]', None), (b"event", "", None),
    (b"event", '{"event":null}', None), (b"event", '{"a":1', None), (b"event", '{"a":bad,"event":"x"}', None),
    (b"event", '{"event":"cut', None), (b"event", '{"event":"a\\"b"}', b'a\\"b'), (b"e", '{"e":""}', b"")])
def test_text_is_found_ahead_without_moving(word, text, found):
    cursor = taking(text)
    assert cursor.find(word) == found
    assert (cursor.place, cursor.tokens, cursor.error) == (0, [], None)


@pytest.mark.parametrize(("text", "tokens"), [
    ('[["31774.7","0.14"]]', [("PRICE", "BID_PRICE", "31774.7"), ("QTY", "BID_QTY", "0.14")]),
    ('[[31774.7,0.14,0,"3"]]', [("PRICE", "BID_PRICE", "31774.7"), ("QTY", "BID_QTY", "0.14"),
                                ("DOUBLE", "SPARE", "0"), ("TEXT", "SPARE", "3")]),
    ("[]", [("CONSTANT", "BID_PRICE", 0), ("CONSTANT", "BID_QTY", 0)]),
    ("[[1,2],[3,4]]", [("PRICE", "BID_PRICE", "1"), ("QTY", "BID_QTY", "2")]),
    ("[[]]", []), ("[[1]]", [("PRICE", "BID_PRICE", "1")])])      # what a quote then lacks is told by its needs
def test_the_best_level_of_a_list(text, tokens):
    found = taking(text)
    assert found.best()
    assert found.tokens == tokens
    assert found.end()


@pytest.mark.parametrize("text", ["{}", "[1]", "null", "", "[", "[[", "[[1,", '[["1","2"]', "[[1,2},",
                                  "[[null,1]]"])
def test_what_is_no_list_of_a_best_level(text):
    found = taking(text)
    assert not found.best()
    assert found.error


@pytest.mark.parametrize(("text", "tokens"), [
    ("null", [("CONSTANT", "PRICE", 0)]), ('""', [("CONSTANT", "PRICE", 0)]), ("1.5", [("PRICE", "PRICE", "1.5")]),
    ('"1.5"', [("PRICE", "PRICE", "1.5")])])
def test_a_number_or_nothing(text, tokens):
    found = taking(text)
    assert found.or_zero()
    assert found.tokens == tokens
    for wrong in ("nul", "true", "[]", "", '"', "n"):
        assert not taking(wrong).or_zero()


def test_the_side_that_a_quote_lacks_is_zero():
    for there, absent in (("BID", "ASK"), ("ASK", "BID")):
        found = taking("1")
        found.constant(f"{there}_PRICE", 5)
        assert found.fill()
        assert found.tokens[1:] == [("CONSTANT", f"{absent}_PRICE", 0), ("CONSTANT", f"{absent}_QTY", 0)]
        assert found.fill()
        assert len(found.tokens) == 3               # nothing is left to fill
    nothing = taking("1")
    assert nothing.fill()
    assert nothing.tokens == []


def test_the_name_that_must_repeat():
    found = taking('"BTC-USD"')
    assert found.name()
    assert (found.symbol, found.tokens) == (("BTC-USD", True), [])
    for wrong in ("5", "null", '"x', ""):
        assert not taking(wrong).name()


@pytest.mark.parametrize(("text", "answer"), [
    ("pong", True), (" pong\r\n", True), ("pong \t ", True), ("pongo", False), ("pong}}", False), ("pong,,", False),
    ("pon", False), ("", False), ("ping", False), ('"pong"', False), ("pong\x00", False), ("pong pong", False)])
def test_a_frame_of_plain_text(text, answer):
    found = taking(text)
    assert found.plain_is(b"pong") == answer
    assert found.error is None


@pytest.mark.parametrize(("text", "answer"), [('""', True), (' ""', True), ('"', False), ('"a"', False), ("", False),
                                              ("null", False), ('"" ', True)])
def test_an_empty_text(text, answer):
    assert taking(text).empty() == answer


@pytest.mark.parametrize(("text", "side"), [('"buy"', 1), ('"sell"', -1), ('"Buy"', None), ('""', None), ("1", None),
                                            ('"buyer"', None), ("null", None), ('"buy', None)])
def test_the_aggressors_side(text, side):
    found = taking(text)
    assert found.aggressor(b"buy", b"sell") == (side is not None)
    assert found.tokens == ([("CONSTANT", "AGGRESSOR", side)] if side else [])
    assert side or found.error


@pytest.mark.parametrize(("take", "sign"), [("SIDE", 1), ("CLOSED_SIDE", -1)])
def test_fields_for_sides(take, sign):
    for words in (("buy", "sell"), ("Buy", "Sell"), ("BUY", "SELL")):
        for word, side in zip(words, (1, -1), strict=True):
            for slot in ("AGGRESSOR", "LEVEL_SIDE"):
                found = taking(f'"{word}"', (("side", take, slot),))
                assert found.value()
                assert found.tokens == [("CONSTANT", slot, sign * side)]
    for wrong in ('"bUY"', '"BuY"', '"Sel"', '""', "null", "1", '"b"', '"B"', '"Bu', '"', ""):
        assert not taking(wrong, (("side", take, "AGGRESSOR"),)).value(), wrong


def test_fields_for_names_arrays_and_objects_inside():
    fields = (("name", "NAME", "SPARE"), ("each", "EACH", "SPARE"), ("data", "INSIDE", "SPARE"),
              ("p", "PRICE", "PRICE"))
    found = taking('{"name":"BTC","each":[1,"x",[2],null],"data":{"data":{"p":5}},"q":6}', fields)
    assert found.object()
    assert found.end()
    assert found.symbol == ("BTC", True)
    assert found.tokens == [("DOUBLE", "SPARE", "1"), ("TEXT", "SPARE", "x"), ("PRICE", "PRICE", "5"),
                            ("DOUBLE", "SPARE", "6")]
    assert taking('{"data":null,"each":7}', fields).object()
    assert not taking('{"data":' * 40 + "1" + "}" * 40, fields).object()
    assert not taking('{"data":{"p":1}', fields).object()


@pytest.mark.parametrize(("text", "tokens"), [
    ("-2.5", [("CONSTANT", "LEVEL_SIDE", -1), ("QTY", "LEVEL_QTY", "2.5")]),
    ("2.5", [("CONSTANT", "LEVEL_SIDE", 1), ("QTY", "LEVEL_QTY", "2.5")]),
    ('"-7"', [("CONSTANT", "LEVEL_SIDE", -1), ("QTY", "LEVEL_QTY", "7")]),
    ('"7"', [("CONSTANT", "LEVEL_SIDE", 1), ("QTY", "LEVEL_QTY", "7")]),
    ("-0", [("CONSTANT", "LEVEL_SIDE", -1), ("QTY", "LEVEL_QTY", "0")])])
def test_a_quantity_whose_sign_says_something(text, tokens):
    found = taking(text)
    assert found.signed()
    assert (found.tokens, found.end()) == (tokens, True)
    other = taking(text)
    assert other.signed(-1)
    assert other.tokens[0][2] == -tokens[0][2]


@pytest.mark.parametrize("text", ["", "-", '"', '"-', "null", "x", "[1]"])
def test_a_sign_without_a_quantity(text):
    assert not taking(text).signed()


@pytest.mark.parametrize(("text", "number"), [
    ("225206", 225206), ('"50"', 50), ("0", 0), ("-5", 0), ("1.5", 0), ('"x"', 0), ("null", 0), ("[1]", 0), ("true", 0),
    ("999999999999999", 999999999999999), ("1000000000000000", 0), ("1e3", 0), ('""', 0), ("", 0), ("nul", 0)])
def test_a_count_that_is_read_at_once(text, number):
    found = taking(text)
    assert found.count() == number
    assert found.tokens == []


def test_an_array_of_messages():
    text = '[ {"p":1} , {"p":2} ] ,'
    found = taking(text)
    assert found.first() == text.index("]") + 1
    assert found.object()
    assert found.more() == text.index(",") + 1
    assert found.object()
    assert found.more() is None
    for empty in ("[]", "[ ]", "7", "[1", "{}", ""):
        assert taking(empty).first() is None


@pytest.mark.parametrize(("text", "word", "at", "facts"), [
    (b"books50-l2", b"books", 5, (True, False, 50)), (b"0.000", b"0", 0, (True, True, 0)),
    (b"", b"", 0, (True, False, 0)), (b"00", b"000", 5, (False, True, 0)),
    (b"depth123456", b"x", 5, (False, False, 1234)), (b"-0", b"-", 0, (True, False, 0)),
    (b"orderbook.200.X", b"orderbook.", 10, (True, False, 200))])
def test_what_a_text_says(text, word, at, facts):
    assert _probe.text_facts(text, word, at) == facts


def test_nothing_is_recorded_without_a_message():
    text = '{"s":"BTC","p":1,"b":[["1","2"]],"i":"5"}'
    found = taking(text, recording=False)
    assert found.object()
    assert (found.tokens, found.symbol) == ([], None)
    assert taking('[["1","2"]]', recording=False).best()
    assert taking('"x"', recording=False).name()
    assert taking("5", recording=False).fill()
    assert taking("-5", recording=False).signed()


def test_a_message_has_a_limit_of_tokens():
    found = taking("{" + ",".join(f'"k{i}":{i}' for i in range(200)) + "}")
    assert not found.object()
    assert found.error == (_probe.Result.TOO_MANY, "fewer values in one message")


@pytest.mark.parametrize(("rows", "error"), [((("", "PRICE", "PRICE"),), ValueError),
                                             ((("k" * 24, "PRICE", "PRICE"),), ValueError)])
def test_fields_that_cannot_be(rows, error):
    with pytest.raises(error):
        taking("{}", rows)


def test_random_text_is_taken_or_refused(seed):
    """Every taker on random text: JSON is judged as Python does, nothing is read past the end."""
    rng = random.Random(seed)
    alphabet = b'{}[]:,"-0123.eE psqtbuyn\\'
    for _ in range(20_000):
        text = bytes(rng.choices(alphabet, k=rng.randint(0, 14)))
        for method in ("object", "array", "best", "or_zero", "name", "signed", "count", "first", "value", "empty"):
            found = taking(text)
            getattr(found, method)()
            assert 0 <= found.place <= len(text)


def test_a_list_of_fields_is_made_from_names():
    assert _probe.list_of_fields({"px": "price", "t": "int time", "n": ("first_seq", "last_seq"), "b": "bid_price or 0",
                                  "S": "other side", "x": "text"}) == [
        ("px", "PRICE", "PRICE", False, False), ("t", "INT", "TIME", False, False),
        ("n", "INT", "FIRST_SEQ", False, True), ("n", "INT", "LAST_SEQ", False, False),
        ("b", "PRICE", "BID_PRICE", True, False), ("S", "CLOSED_SIDE", "AGGRESSOR", False, False),
        ("x", "TEXT", "SPARE", False, False)]
    for wrong in ("pricee", "", "int", "or 0", "price or", "PRICE"):
        with pytest.raises(ValueError, match="a value that is known"):
            _probe.list_of_fields({"px": wrong})
    with pytest.raises(ValueError, match="1 to 23 bytes"):
        _probe.list_of_fields({"": "price"})
    assert len(_probe.list_of_fields({str(key): "any" for key in range(500)})) == 500


def test_a_value_for_two_slots():
    fields = (("n", "INT", "FIRST_SEQ"), ("n", "INT", "LAST_SEQ"), ("q", "QTY", "QTY"))
    both = [("INT", "FIRST_SEQ", "7"), ("INT", "LAST_SEQ", "7")]
    for text, tokens in (('{"n":7,"q":"5"}', [*both, ("QTY", "QTY", "5")]), ('{"n":"7"}', both),
                         ('{"q":"5","n":null}', [("QTY", "QTY", "5")]), ('{"n":""}', [])):
        found = taking(text, fields)
        assert found.object()
        assert found.tokens == tokens
    assert taking('{"n":7}', fields, recording=False).object()
    assert not taking('{"n":x}', fields).object()
