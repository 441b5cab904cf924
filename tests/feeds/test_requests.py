"""What a connection has asked for and what was answered: each rule by itself, and any order of events."""

from __future__ import annotations

import json
import random
from types import SimpleNamespace

import pytest

from feeds.requests import SNAPSHOT, SUBSCRIBE, UNSUBSCRIBE, Requests
from feeds.venue import BadSymbol, Control, Limits, Stream

LIMITS = Limits(streams_per_connection=0, messages_per_second=0, streams_per_request=3, connections_per_5_minutes=0,
                connection_lifetime_s=0, rest_weight_per_minute=0)
PATIENCE = 10.0


def frame(op):
    return lambda names, number: [json.dumps([op, *names])]


def made(*names, **changes):
    """Requests for these streams on a line that was opened at 0."""
    facts = {"limits": LIMITS, "subscribe": frame("+"), "unsubscribe": frame("-"), "request": None, **changes}
    requests = Requests(SimpleNamespace(**facts))
    for name in names:
        requests.add(Stream(name, "public", name.partition(":")[0].upper(), "book"))
    requests.begin((), 0.0, PATIENCE)
    return requests


def ask(requests, number, now=0.0):
    """Make the request that is due; gives (what, streams)."""
    what, names = requests.due()
    requests.note(what, names, number, len(requests.frames(what, names, number)), now)
    return what, names


def nothing_is_there(name):
    return False


def test_what_is_missing_is_asked_for_in_batches_and_what_is_too_much_is_given_back():
    requests = made("a", "b", "c", "d")
    assert ask(requests, 1) == (SUBSCRIBE, ["a", "b", "c"])
    assert ask(requests, 2) == (SUBSCRIBE, ["d"])
    assert requests.due() is None
    requests.accept(Control("ack", 2), 1.0)
    requests.accept(Control("ack", 1), 1.0)
    assert requests.confirmed == {"a", "b", "c", "d"}
    requests.remove("b")
    requests.renew(["c", "nobody"])
    assert ask(requests, 3) == (UNSUBSCRIBE, ["b", "c"])
    assert ask(requests, 4) == (SUBSCRIBE, ["c"])
    assert requests.confirmed == {"a", "d"}


def test_what_was_given_up_without_an_answer_is_asked_for_when_it_is_taken_on_again():
    requests = made("a")
    for turn in range(Requests.tries):
        assert ask(requests, turn, 100.0 * turn) == (SUBSCRIBE, ["a"])
        requests.overdue(100.0 * turn + PATIENCE + 1, nothing_is_there)
    assert "no answer" in requests.refused["a"]
    assert requests.due() is None
    requests.add(Stream("a", "public", "A", "book"))
    assert requests.refused == {}
    assert requests.due() == (SUBSCRIBE, ["a"])


def test_a_new_line_has_accepted_nothing_but_what_its_address_asks_for():
    requests = made("a", "b")
    ask(requests, 1)
    requests.accept(Control("ack", 1), 1.0)
    assert requests.confirmed == {"a", "b"}
    requests.begin(("b",), 5.0, PATIENCE)
    assert requests.confirmed == {"b"}
    assert requests.due() == (SUBSCRIBE, ["a"])


def test_an_address_asks_by_itself():
    requests = made("a", "b")
    requests.begin(["a", "b"], 5.0, PATIENCE)
    assert requests.due() is None
    assert requests.confirmed == {"a", "b"}
    assert requests.asked == {"a": 5.0, "b": 5.0}


def test_a_snapshot_is_due_once_its_stream_is_confirmed():
    requests = made("a", request=lambda name, number: f"{name}?{number}")
    requests.want_snapshot("a")
    assert ask(requests, 1) == (SUBSCRIBE, ["a"])
    assert requests.due() is None
    requests.accept(Control("ack", streams=("a",)), 0.0)
    assert requests.due() == (SNAPSHOT, ["a"])
    assert requests.frames(SNAPSHOT, ["a"], 7) == ["a?7"]
    ask(requests, 2)
    assert requests.due() is None
    assert requests.overdue(PATIENCE + 1, nothing_is_there) == [(2, SNAPSHOT, ["a"])]
    assert requests.refused == {}


@pytest.mark.parametrize("control, left", [
    (Control("ack", 1), {"c"}), (Control("ack", 2), {"a", "b"}), (Control("ack", 9), {"a", "b", "c"}),
    (Control("ack"), {"c"}), (Control("ack", streams=("b", "c")), {"a"}), (Control("ack", streams=("B",)), {"a", "c"}),
    (Control("ack", streams=("nobody",)), {"a", "b", "c"}), (Control("ack", 1, streams=("a",)), {"b", "c"}),
    (Control("ack", 1, streams=("odd spelling",)), {"c"}),
])
def test_whom_an_acknowledgement_is_for(control, left):
    requests = made("a", "b", "c")
    for number, names in ((1, ["a", "b"]), (2, ["c"])):
        requests.note(SUBSCRIBE, names, number, 1, 0.0)
    requests.accept(control, 1.0)
    assert requests.confirmed == {"a", "b", "c"} - left
    missing = requests.overdue(PATIENCE + 1, nothing_is_there)
    assert {name for _, _, names in missing for name in names} == left


@pytest.mark.parametrize("control, found", [
    (Control("error", 2, reason="bad_symbol"), [(SUBSCRIBE, {"c"})]),
    (Control("error", reason="bad_symbol"), [(SUBSCRIBE, {"a", "b"})]),         # the oldest that subscribes
    (Control("error"), []), (Control("error", reason="rate_limit"), []),
    (Control("error", streams=("b",)), [(SUBSCRIBE, {"b"})]), (Control("error", 8), []),
])
def test_whom_an_error_is_for(control, found):
    requests = made("a", "b", "c")
    for number, what, names in ((0, UNSUBSCRIBE, []), (1, SUBSCRIBE, ["a", "b"]), (2, SUBSCRIBE, ["c"])):
        requests.note(what, names, number, 1, 0.0)
    assert requests.answered(control) == found


def test_an_acknowledgement_may_tell_what_unsubscribing_has_to_name():
    requests = made("a", "b")
    ask(requests, 1)
    requests.accept(Control("ack", streams=("a",), handle="17"), 0.0)
    assert requests.frames(UNSUBSCRIBE, ["a", "b"], 2) == ['["-", "17", "b"]']
    requests.begin((), 1.0, PATIENCE)               # the next line has numbers of its own
    assert requests.frames(UNSUBSCRIBE, ["a"], 3) == ['["-", "a"]']


def test_what_cannot_be_unsubscribed_is_told_if_it_has_to_begin_anew():
    requests = made("a", "b", unsubscribe=lambda names, number: [])
    ask(requests, 1)
    requests.remove("b")
    assert requests.note(*requests.due(), 2, 0, 1.0) == set()
    requests.renew(["a"])
    assert requests.note(*requests.due(), 3, 0, 1.0) == {"a"}


def test_a_request_without_an_answer_is_made_three_times():
    requests = made("a")
    now = 0.0
    for number in range(3):
        assert ask(requests, number, now) == (SUBSCRIBE, ["a"])
        assert requests.overdue(now + PATIENCE - 0.1, nothing_is_there) == []
        now += PATIENCE + 0.1
        assert requests.overdue(now, nothing_is_there) == [(number, SUBSCRIBE, ["a"])]
    assert requests.refused == {"a": "no answer to 3 requests"}
    assert requests.due() is None
    requests.accept(Control("ack", streams=("a",)), now)        # late, but there
    assert requests.confirmed == {"a"}
    assert requests.refused == {}


def test_a_stream_that_is_there_needs_no_answer():
    requests = made("a", "b")
    ask(requests, 1)
    assert requests.overdue(0.5, {"a"}.__contains__) == []
    assert requests.confirmed == set()                          # an answer may still come
    requests.overdue(2.0, {"a"}.__contains__)
    assert requests.confirmed == {"a"}
    assert requests.overdue(PATIENCE + 1, {"a"}.__contains__) == [(1, SUBSCRIBE, ["b"])]


def test_a_refused_stream_is_left_out_on_this_line():
    requests = made("a", "b")
    ask(requests, 1)
    error = BadSymbol("venue", 5, "no a")
    requests.refuse(["a", "nobody"], "5: no a", error)
    assert requests.refused == {"a": "5: no a"}
    assert requests.errors == {"a": error}
    assert requests.due() is None
    requests.begin((), 1.0, PATIENCE)
    assert ask(requests, 2) == (SUBSCRIBE, ["a", "b"])


def test_the_rest_of_a_request_with_a_bad_name_is_asked_for_again_soon():
    requests = made("a", "b", "c")
    ask(requests, 1)
    assert requests.answered(Control("error", 1, streams=("b",))) == [(SUBSCRIBE, {"b"})]
    requests.refuse(["b"], "no b")
    requests.spoil(1, 0.0)
    requests.accept(Control("ack", 1, streams=("a",)), 0.1)
    assert requests.overdue(1.5, nothing_is_there) == []
    assert requests.due() == (SUBSCRIBE, ["c"])


def line_lost(requests, number, now, confirmed=()):
    ask(requests, number, now)
    requests.confirmed |= set(confirmed)
    return requests.lost(now + 0.1)


def test_a_name_that_ends_lines_is_singled_out():
    requests = made("a", "bad", "c")
    for number in range(2):
        assert line_lost(requests, number, number) == set()
        requests.begin((), number + 0.5, PATIENCE)
    assert ask(requests, 5, 3.0) == (SUBSCRIBE, ["a"])          # each alone, one after the other
    assert requests.due() is None
    requests.accept(Control("ack", 5), 3.1)
    assert requests.due() == (SUBSCRIBE, ["bad"])
    assert line_lost(requests, 6, 3.2) == {"bad"}
    requests.begin((), 4.0, PATIENCE)
    assert ask(requests, 7, 4.0) == (SUBSCRIBE, ["a"])
    requests.accept(Control("ack", 7), 4.1)
    assert ask(requests, 8, 4.2) == (SUBSCRIBE, ["c"])
    assert list(requests.refused) == ["bad"]
    requests.remove("bad")
    requests.add(Stream("bad", "public", "BAD", "book"))        # whoever asks for it again has a reason
    assert requests.refused == {}


def test_a_line_that_ends_long_after_a_request_is_nobodys_fault():
    requests = made("a")
    for number in range(5):
        ask(requests, number, number * 100.0)
        assert requests.lost(number * 100.0 + 5.0) == set()
        requests.begin((), number * 100.0 + 6.0, PATIENCE)
    assert requests.due() == (SUBSCRIBE, ["a"])
    assert requests.refused == {}


def test_whatever_happens_the_streams_that_can_be_had_are_had_in_the_end(seed):
    rng = random.Random(seed)
    for _ in range(150):
        requests, wanted, now, number = made(), set(), 0.0, 0
        bad = set(rng.sample("abcdefgh", 2))
        said = []                               # requests of the line that the venue has not answered
        for step in range(160):
            calm = step > 80                    # from then on the venue does what it should
            now += rng.choice([0.01, 0.5, 3.0])
            if not calm:
                name = rng.choice("abcdefgh")
                if name in wanted and rng.random() < 0.5:
                    requests.remove(name)
                    wanted.discard(name)
                elif name not in wanted:
                    requests.add(Stream(name, "public", name.upper(), "book"))
                    wanted.add(name)
                if rng.random() < 0.1:
                    requests.renew(rng.sample("abcdefgh", 3))
                if rng.random() < 0.05:
                    requests.lost(now)
                    requests.begin((), now, PATIENCE)
                    said.clear()
            while requests.due() and rng.random() < 0.9:
                number += 1
                said.append((number, *ask(requests, number, now)))
            while said and (calm or rng.random() < 0.5):
                answered, what, names = said.pop(0)
                refused = sorted(bad.intersection(names)) if what == SUBSCRIBE else []
                if not calm and rng.random() < 0.3:
                    continue                    # no answer at all
                if refused:
                    control = Control("error", answered, streams=tuple(refused), reason="bad_symbol")
                    requests.answered(control)
                    requests.refuse(refused, "no")
                    requests.spoil(answered, now)
                else:
                    requests.accept(Control("ack", answered), now)
            requests.overdue(now, nothing_is_there)
            assert requests.confirmed <= requests.asked.keys()
            assert not requests.confirmed & requests.refused.keys()
        assert requests.due() is None
        assert wanted - bad <= requests.confirmed | requests.refused.keys()
        assert requests.confirmed <= wanted
        for name in requests.refused.keys() & wanted - bad:         # by mistake, for want of answers
            assert requests.refused[name].startswith(("no answer to 3", "the venue ends the connection"))
