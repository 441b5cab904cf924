"""One level taken apart by a form: arrays, objects, words, counts, signs; and what fails."""

from __future__ import annotations

import json
import random

import pytest

from tests import _probe
from tests._probe import Levelform, level_text

WORD_BID, WORD_ASK, WORD_GONE, WORD_NONE = 1, 2, 3, 0
PAIR = Levelform(("price", "qty"))
THREE = Levelform(("price", "count", "signed"))
WORDS = Levelform(("word", "price", "qty"), {"new": WORD_NONE, "change": WORD_NONE, "delete": WORD_GONE})
SIDES = Levelform({"side": "word", "price": "price", "size": "qty", "id": "id"},
                  {"Buy": WORD_BID, "Sell": WORD_ASK})
DELETED = Levelform({"side": "word", "id": "id"}, {"Buy": WORD_BID, "Sell": WORD_ASK}, gone=True)
OFFSETS = Levelform({"price": "price", "size": "qty", "offset": "seq?"})
CHANGES = Levelform(("price", "qty", "seq"))
SKIPPING = Levelform(("", "price", "", "qty"))


@pytest.mark.parametrize(("form", "text", "side", "gone", "found"), [
    (PAIR, '["1.5","2"]', 0, False, {"price": "1.5", "qty": "2"}),
    (PAIR, '[1.5,2]', 0, False, {"price": "1.5", "qty": "2"}),
    (PAIR, ' [ 1e-7 , "0.000" , "x" , null , {"a":[1]} ]', 0, False, {"price": "1e-7", "qty": "0.000"}),
    (THREE, '[100,2,0.5]', 1, False, {"price": "100", "qty": "0.5"}),
    (THREE, '[100,2,-0.5]', -1, False, {"price": "100", "qty": "0.5"}),
    (THREE, '[100,0,1]', 1, True, {"price": "100", "qty": "1"}),
    (THREE, '[100,0.0,-1]', -1, True, {"price": "100", "qty": "1"}),
    (WORDS, '["new",100.5,7]', 0, False, {"price": "100.5", "qty": "7"}),
    (WORDS, '["change",100.5,7]', 0, False, {"price": "100.5", "qty": "7"}),
    (WORDS, '["delete",100.5,0]', 0, True, {"price": "100.5", "qty": "0"}),
    (SIDES, '{"symbol":"X","id":8799,"side":"Sell","size":5,"price":12.5}', -1, False,
     {"id": "8799", "qty": "5", "price": "12.5"}),
    (SIDES, '{"id":8799,"side":"Buy","size":5}', 1, False, {"id": "8799", "qty": "5"}),
    (DELETED, '{"symbol":"X","id":8799,"side":"Buy"}', 1, True, {"id": "8799"}),
    (DELETED, '{"id":8799}', 0, True, {"id": "8799"}),
    (OFFSETS, '{"size":"1","offset":"77","price":"5"}', 0, False, {"qty": "1", "seq": "77", "price": "5"}),
    (OFFSETS, '{"size":"1","price":"5"}', 0, False, {"qty": "1", "price": "5"}),
    (CHANGES, '["3988.59","44","1545896668986"]', 0, False, {"price": "3988.59", "qty": "44", "seq": "1545896668986"}),
    (SKIPPING, '[1,"2",true,3]', 0, False, {"price": "2", "qty": "3"}),
    (PAIR, '["",""]', 0, False, {"price": "", "qty": ""}),            # refused when it is converted
])
def test_a_level_is_taken_apart(form, text, side, gone, found):
    assert level_text(form, text.encode()) == (side, gone, found, None)


@pytest.mark.parametrize(("form", "text", "offset"), [
    (PAIR, "[]", 0), (PAIR, '["1"]', 0), (PAIR, "{}", 0), (PAIR, '{"price":1}', 0), (PAIR, '"1"', 0), (PAIR, "1", 0),
    (PAIR, "", 0), (PAIR, "[[1,2]]", 1), (PAIR, "[1,null]", 3), (PAIR, "[true,1]", 1), (PAIR, "[1,2", 4),
    (PAIR, "[1 2]", 3), (PAIR, "[1,]", 3), (PAIR, '["1,"2"]', 5), (PAIR, "[1,{}]", 3), (PAIR, "null", 0),
    (PAIR, "[-,1]", 2), (PAIR, "[1,2.]", 5),
    (WORDS, '["gone",1,2]', 1), (WORDS, "[1,1,2]", 1), (WORDS, '["new",1]', 0), (WORDS, '[null,1,2]', 1),
    (SIDES, '{"side":"None","id":1,"size":1}', 8), (SIDES, '{"side":"Buy","size":1}', 0),
    (SIDES, '{"side":"Buy","id":1}', 0), (SIDES, "[1,2]", 0), (SIDES, '{"side":"Buy","id":1,"size":{}}', 28),
    (THREE, '[100,"",1]', 6), (THREE, '[100,"x",1]', 6), (THREE, "[100,-1,1]", 5), (THREE, "[100,null,1]", 5),
    (DELETED, '{"side":"Buy"}', 0), (OFFSETS, '{"size":"1","offset":"77"}', 0),
    (CHANGES, '["3988.59","44"]', 0), (CHANGES, '["3988.59","44",null]', 16),
    (SIDES, '{"side":"Buy","size":1,"price":2}', 0),
])
def test_what_is_no_such_level_is_refused(form, text, offset):
    side, gone, found, error = level_text(form, text.encode())
    assert (side, gone, found) == (None, None, None)
    assert error[0] == offset
    assert error[1]


def test_a_member_that_comes_twice_counts_once():
    assert level_text(PAIR, b"[1,2,3,4]")[2] == {"price": "1", "qty": "2"}
    assert level_text(OFFSETS, b'{"price":1,"size":2,"price":3}')[2] == {"price": "3", "qty": "2"}


def test_a_level_has_a_limit_of_members_that_matter():
    many = ",".join(f'"{i}"' for i in range(40))
    assert level_text(PAIR, f"[1,2,{many}]".encode())[2] == {"price": "1", "qty": "2"}
    late = Levelform({"price": "price", "size": "qty"})
    keys = ",".join(f'"k{i}":{i}' for i in range(30))
    assert level_text(late, f'{{{keys},"price":1,"size":2}}'.encode())[3][1] == "a level with fewer members"
    assert level_text(late, f'{{"price":1,"size":2,{keys}}}'.encode())[2] == {"price": "1", "qty": "2"}


def test_random_levels_against_json(seed):
    """Levels of any of the forms, with members nobody knows; what json reads is what is taken."""
    rng = random.Random(seed)
    forms = {PAIR: ("price", "qty"), CHANGES: ("price", "qty", "seq"), SKIPPING: ("", "price", "", "qty")}

    def number():
        return rng.choice(["0", "1", "12.5", "1e3", "0.00001", str(rng.randint(0, 10**12))])

    for _ in range(3000):
        form, names = rng.choice(list(forms.items()))
        values = [number() for _ in names]
        written = [f'"{value}"' if rng.random() < 0.5 else value for value in values]
        more = [rng.choice(['"x"', "null", "true", "[1]", '{"a":1}', "7"]) for _ in range(rng.randint(0, 3))]
        gap = rng.choice(["", " ", "\n"])
        text = "[" + gap + f"{gap},{gap}".join(written + more) + gap + "]"
        json.loads(text)
        found = {name: value for name, value in zip(names, values, strict=True) if name}
        assert level_text(form, text.encode()) == (0, False, found, None)


def test_a_level_cut_or_changed_never_reads_past_its_end(seed):
    rng = random.Random(seed)
    for form, text in ((PAIR, b'["1.5","2","0","1"]'), (THREE, b"[100,2,-0.5]"), (WORDS, b'["delete",100.5,0]'),
                       (SIDES, b'{"symbol":"XBT","id":8799,"side":"Sell","size":5,"price":12.5}')):
        for at in range(len(text)):
            assert level_text(form, text[:at])[3] is not None
            for _ in range(20):
                changed = text[:at] + bytes([rng.choice(b'"[]{},:-.e09x\\ \x00\xff')]) + text[at + 1:]
                error = level_text(form, changed)[3]
                assert error is None or 0 <= error[0] <= len(changed)


@pytest.mark.parametrize(("rows", "words", "error"), [
    (("price",) * 13, None, ValueError), (("price", "size"), None, KeyError), ({"k" * 24: "price"}, None, ValueError),
    (("word",), dict.fromkeys("abcdefghi", 0), ValueError), (("word",), {"": 0}, ValueError),
    (("word",), {"longer than 11": 0}, ValueError), ({"price": "cost"}, None, KeyError)])
def test_a_form_that_cannot_be(rows, words, error):
    with pytest.raises(error):
        _probe.Levelform(rows, words)
