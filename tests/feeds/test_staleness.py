"""How long a book may be silent: it is measured by its own past, misfires hardly ever, and still finds what is lost."""

from __future__ import annotations

import math
import random

import pytest

from feeds.staleness import GIVE_UP, PROBE, RECONNECT, RESUBSCRIBE, Pace, Patience, Watch

WEEK_S = 7 * 86_400.0
LOOK_S = 1.0
RULES = Patience()


def poisson(mean):
    return lambda dice: dice.expovariate(1 / mean)


def lognormal(mean, sigma=2.0):
    return lambda dice: dice.lognormvariate(math.log(mean) - sigma * sigma / 2, sigma)


def pareto(mean, tail=1.5):
    return lambda dice: mean * (tail - 1) / tail * dice.paretovariate(tail)


class Bursts:
    """A symbol that trades for a while and then hardly at all."""

    def __init__(self, fast, slow, busy_s, calm_s):
        self.pauses, self.phases = (slow, fast), (calm_s, busy_s)
        self.busy, self.left = False, 0.0

    def __call__(self, dice):
        passed = 0.0
        while (pause := dice.expovariate(1 / self.pauses[self.busy])) > self.left:
            passed += self.left
            self.busy = not self.busy
            self.left = dice.expovariate(1 / self.phases[self.busy])
        self.left -= pause
        return passed + pause


class Days:
    """A hundred times as much at noon as at midnight."""

    def __init__(self, mean):
        self.mean, self.now = mean, 0.0

    def __call__(self, dice):
        pause = dice.expovariate(1 / (self.mean * 10 ** math.sin(self.now / 86_400 * 2 * math.pi)))
        self.now += pause
        return pause


def false_alarms(make, seed, weeks=1.0):
    """Pauses of a symbol that nothing is wrong with that were longer than its patience."""
    dice, pace, draw = random.Random(seed), Pace(), make()
    now, patience, found = 0.0, math.inf, 0
    while now < weeks * WEEK_S:
        pause = 0.0
        while pause < LOOK_S:               # who looks once a second sees no more
            pause += draw(dice)
        now += pause
        found += pause > patience
        pace.note(now, pause)
        patience = pace.patience(RULES)
    return found


@pytest.mark.parametrize("make, symbols, most", [
    (lambda: poisson(2.0), 1, 0), (lambda: poisson(20.0), 10, 0), (lambda: poisson(200.0), 60, 0),
    (lambda: poisson(3000.0), 200, 0), (lambda: Bursts(0.2, 120.0, 20.0, 1800.0), 10, 1),
    (lambda: Bursts(1.0, 600.0, 60.0, 7200.0), 30, 29), (lambda: Days(60.0), 20, 1),
    (lambda: lognormal(60.0), 20, 19), (lambda: pareto(60.0), 20, 19),
], ids=["poisson-2", "poisson-20", "poisson-200", "poisson-3000", "bursts", "long-bursts", "days", "lognormal",
        "pareto"])
def test_a_symbol_that_is_only_quiet_is_left_alone(make, symbols, most):
    """Less than one false alarm a symbol and week, its first week too; none where pauses are Poisson's.

    Always the same weeks: with other dice a rare week has more.
    """
    assert sum(false_alarms(make, number) for number in range(symbols)) <= most


@pytest.mark.parametrize("mean, longest", [(0.2, 60.0), (2.0, 160.0), (20.0, 1500.0), (200.0, 13_000.0)])
def test_a_stream_that_is_lost_is_found_within_a_few_of_its_longest_pauses(mean, longest):
    dice, pace, now = random.Random(1), Pace(), 0.0
    while now < 2 * 86_400:
        pause = max(LOOK_S, dice.expovariate(1 / mean))
        now += pause
        pace.note(now, pause)
    assert RULES.least <= pace.patience(RULES) <= longest


def test_a_short_past_asks_for_more_patience():
    pace = Pace()
    assert pace.patience(RULES) == math.inf
    pace.note(1.0, 1.0)
    assert pace.patience(RULES) == math.inf         # one pause says nothing
    found = []
    for number in range(2, 200):
        pace.note(float(number), 1.0)
        found.append(pace.patience(RULES))
    assert found == sorted(found, reverse=True)
    assert found[0] > 10_000
    assert found[-1] == pytest.approx(0.25 * (3600 - 199))
    for number in range(200, 4000):
        pace.note(float(number), 1.0)
    assert pace.patience(RULES) == RULES.least


def test_a_long_pause_is_remembered_for_a_week():
    pace = Pace()
    pace.note(0.0, 100.0)
    for hour in range(167):
        for second in range(0, 3600, 10):
            pace.note(hour * 3600.0 + second, 10.0)
        assert pace.patience(RULES) == pytest.approx(400.0)
    for hour in range(167, 170):
        pace.note(hour * 3600.0, 10.0)
    assert pace.patience(RULES) < 400.0


# ---- the steps

def watched(pauses=2000, mean=2.0):
    """A watch with a past, and the time."""
    watch, dice, now = Watch(Patience(young=0.0)), random.Random(4), 0.0
    watch.look(now, 1, 1, 0)
    for number in range(pauses):
        now += dice.expovariate(1 / mean)
        assert watch.look(now, 2 + number, 2 + number, number) == ""
    return watch, now, 1 + pauses


def until_due(watch, now, stamp, frames, sequence=None):
    """Look once a second until a step is due; (the step, when)."""
    for second in range(1, 2000):
        step = watch.look(now + second, stamp, sequence or stamp, frames)
        if step:
            return step, now + second
    pytest.fail("nothing is ever due")


def test_the_steps_follow_each_other_while_nothing_helps():
    watch, now, stamp = watched()
    step, at = until_due(watch, now, stamp, 100)
    assert step == PROBE
    assert 30 <= at - now <= 120
    assert watch.look(at, stamp, stamp, 100) == PROBE           # as long as nobody does it
    watch.did(PROBE, at, 100)
    assert watch.look(at + 1, stamp, stamp, 100) == ""          # no pong yet
    assert watch.look(at + 2, stamp, stamp, 101) == RESUBSCRIBE
    watch.did(RESUBSCRIBE, at + 2, 101)
    assert watch.look(at + 31, stamp, stamp, 150) == ""
    assert watch.look(at + 33, stamp, stamp, 150) == RECONNECT
    watch.did(RECONNECT, at + 33, 150)
    watch.away()
    assert watch.look(at + 40, stamp + 1, stamp + 1, 3) == ""   # LIVE again by a snapshot, and nothing more
    step, later = until_due(watch, at + 40, stamp + 1, 10)
    assert step == GIVE_UP
    assert later - at - 40 >= 30
    watch.did(GIVE_UP, later, 10)
    watch.away()
    assert watch.look(later + 10, stamp + 2, stamp + 2, 20) == ""
    assert watch.look(later + 11, stamp + 3, stamp + 3, 21) == ""       # it goes on after all
    assert watch.step == ""
    assert watch.mended == 1


def test_a_line_that_does_not_answer_the_ping_is_made_anew():
    watch, now, stamp = watched()
    _, at = until_due(watch, now, stamp, 100)
    watch.did(PROBE, at, 100)
    assert watch.look(at + 10, stamp, stamp, 100) == ""
    assert watch.look(at + 11, stamp, stamp, 100) == RECONNECT


def test_a_snapshot_that_is_what_the_book_was_shows_that_it_was_only_quiet():
    watch, now, stamp = watched()
    _, at = until_due(watch, now, stamp, 100)
    before = watch.pace.patience(watch.rules)
    watch.did(RESUBSCRIBE, at, 100)
    assert watch.look(at + 1, stamp + 1, stamp, 102) == ""      # another message with the old number
    assert (watch.step, watch.kept_quiet, watch.mended) == ("", 1, 0)
    assert watch.pace.patience(watch.rules) == pytest.approx(4 * (at + 1 - now)) != before      # it has learned


def test_a_snapshot_that_is_newer_is_not_enough():
    watch, now, stamp = watched()
    _, at = until_due(watch, now, stamp, 100)
    before = watch.pace.patience(watch.rules)
    watch.did(RESUBSCRIBE, at, 100)
    watch.look(at + 1, stamp + 1, stamp + 50, 102)
    assert watch.step == RESUBSCRIBE
    step, later = until_due(watch, at + 1, stamp + 1, 103, stamp + 50)
    assert (step, later - at > 29) == (RECONNECT, True)         # the stream itself has not gone on
    watch.look(at + 2, stamp + 2, stamp + 51, 104)
    assert (watch.step, watch.mended) == ("", 1)
    assert watch.pace.patience(watch.rules) == pytest.approx(before, rel=0.05)  # the silence was not the symbol's own


def test_a_book_that_is_not_live_is_nobodys_fault():
    watch, now, stamp = watched()
    watch.away()
    assert watch.look(now + 10_000, stamp, stamp, 0) == ""
    assert watch.silence(now + 10_000) == 0.0
    patience = watch.pace.patience(watch.rules)
    assert watch.look(now + 10_001, stamp + 1, stamp + 1, 0) == ""
    assert watch.pace.patience(watch.rules) == patience


def test_each_new_subscription_is_waited_for_anew():
    """The first message after it may be the snapshot alone, the second time as well."""
    watch, now, stamp = watched()
    for turn in (1, 2):
        _, at = until_due(watch, now, stamp, 100)
        watch.did(RESUBSCRIBE, at, 100)
        watch.look(at + 1, stamp + 1, stamp + 1, 101)
        assert (watch.step, watch.mended) == (RESUBSCRIBE, turn - 1)
        watch.look(at + 2, stamp + 2, stamp + 2, 102)
        assert (watch.step, watch.mended) == ("", turn)
        now, stamp = at + 2, stamp + 2


class Past:
    """The pauses of a book, all of them, and what they say: the definition of `Pace`, slow and plain."""

    def __init__(self):
        self.hours = []             # (hour, its pauses)

    def note(self, now, pause):
        hour = int(now // 3600)
        if not self.hours or self.hours[-1][0] != hour:
            self.hours.append((hour, []))
        self.hours[-1][1].append(pause)

    def patience(self, rules):
        *earlier, (_, pauses) = self.hours
        earlier = earlier[-168:]
        taken = list(pauses)
        if len(pauses) < 100:
            more = []
            for _, held in reversed(earlier):
                if len(more) >= 100:
                    break
                more += held
            taken += more
        if len(taken) < 2:
            return math.inf
        known = sum(sum(held) for _, held in self.hours)
        longest = max(map(max, [pauses, *(held for _, held in earlier)]))
        return max(rules.least, rules.young_share * (rules.young - known), rules.longest * longest,
                   sum(taken) * math.expm1(rules.surprise / len(taken)))


@pytest.mark.parametrize("rules", [RULES, Patience(longest=0.0, least=0.0, young=0.0)])
def test_patience_is_that_of_the_definition(rules, seed):
    for turn in range(4):
        dice, pace, past, now = random.Random(f"{seed} {turn}"), Pace(), Past(), 1e6
        assert pace.patience(rules) == math.inf
        for _ in range(60):
            mean = dice.choice([1, 30, 40, 300, 5000])
            for _ in range(dice.choice([1, 50, 99, 100, 101, 250])):
                pause = dice.expovariate(1 / mean)
                now += pause
                pace.note(now, pause)
                past.note(now, pause)
                if dice.random() < 0.05:
                    assert pace.patience(rules) == pytest.approx(past.patience(rules), rel=1e-9)


def test_nothing_is_added_to_pauses_that_are_all_short():
    pace = Pace()
    for number in range(1000):
        pace.note(1e6 + number / 1000, 0.001)
    assert pace.patience(Patience(least=0.0, young=0.0)) == pytest.approx(math.expm1(0.02))


def test_only_a_week_is_remembered():
    pace, past = Pace(), Past()
    for hour in range(200):
        for pause in (5000.0 if hour in (10, 40) else 10.0, 1.0):
            for kept in (pace, past):
                kept.note(3600.0 * hour, pause)
        assert pace.patience(RULES) == pytest.approx(past.patience(RULES))
    assert pace.patience(RULES) >= 4 * 5000


def test_what_rest_proves():
    watch, now, stamp = watched()
    _, at = until_due(watch, now, stamp, 100)
    watch.did(RESUBSCRIBE, at, 100)
    watch.quiet(at + 2)
    assert (watch.step, watch.kept_quiet) == ("", 1)
    assert watch.look(at + 60, stamp, stamp, 200) == ""
    watch.did(RESUBSCRIBE, at + 60, 200)
    watch.missed(at + 61, stamp + 9, stamp + 9)
    assert watch.step == RESUBSCRIBE
    assert watch.look(at + 62, stamp + 9, stamp + 9, 201) == ""
