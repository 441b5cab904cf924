"""When a book that says nothing has been silent for too long, judged by its own past, and what is done about it then.

A venue can forget a stream and keep the line alive: no number is missing, because no message comes. All that shows it
is the silence. How long that may last differs from symbol to symbol by a factor of a million, so each book is measured
by itself. Pure: the clock is the caller's, and what is to be done is said and not done.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import expm1, inf

PROBE, RESUBSCRIBE, RECONNECT, GIVE_UP = "probe", "resubscribe", "reconnect", "give up"     # steps, in this order
HOUR_S = 3600.0
HOURS = 168             # of a past that are remembered: a week
ENOUGH = 100            # pauses from which a mean is taken; the newest hours that have so many


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a silence may be. Seconds, where nothing else is said."""

    least: float = 30.0         # no shorter silence means anything
    young: float = 3600.0       # a past shorter than this may not have shown everything yet:
    young_share: float = 0.25   # so much of what it lacks is waited in any case
    surprise: float = 20.0      # a silence that Poisson's arrivals make once in e**20 pauses; about 20 mean pauses
    longest: float = 4.0        # times the longest pause of the week
    probe: float = 10.0         # for anything at all to come on the line after a ping
    answer: float = 30.0        # for the book to move after a new subscription
    apart: float = 600.0        # between two reconnections of a line for the sake of its silent books
    renewals: int = 6           # new subscriptions a minute, of all books of a feed


class Pace:
    """The pauses between the messages of one book; of the longest ones a week is remembered."""

    __slots__ = ("_before", "_count", "_hour", "_hours", "_known", "_longest", "_longest_before", "_sum")

    def __init__(self) -> None:
        self._hours: deque[tuple[float, int, float]] = deque(maxlen=HOURS)  # (sum, count, longest), newest last
        self._hour = 0                      # number of the hour at work,
        self._sum, self._count, self._longest = 0.0, 0, 0.0
        self._before = (0.0, 0)             # sum and count of the newest hours before that have ENOUGH pauses
        self._longest_before = 0.0
        self._known = 0.0                   # seconds of the past so far

    def note(self, now: float, pause: float) -> None:
        """A pause is over."""
        hour = int(now // HOUR_S)
        if hour != self._hour:
            self._turn(hour)
        self._sum += pause
        self._count += 1
        self._known += pause
        if pause > self._longest:
            self._longest = pause

    def _turn(self, hour: int) -> None:
        """Another hour begins."""
        if self._count:
            self._hours.append((self._sum, self._count, self._longest))
        self._hour = hour
        self._sum, self._count, self._longest = 0.0, 0, 0.0
        total, count = 0.0, 0
        for earlier in reversed(self._hours):
            total += earlier[0]
            count += earlier[1]
            if count >= ENOUGH:
                break
        self._before = (total, count)
        self._longest_before = max((earlier[2] for earlier in self._hours), default=0.0)

    def patience(self, rules: Patience) -> float:
        """Seconds of silence beyond what this past makes likely; infinite while there is too little of one.

        After n pauses that sum up to S, the next one of a Poisson process is longer than t with the probability
        (S / (S + t)) ** n: with few pauses known that asks for much more patience than with many.
        """
        total, count = self._sum, self._count
        if count < ENOUGH:
            total += self._before[0]
            count += self._before[1]
        if count < 2:
            return inf
        young = rules.young_share * (rules.young - self._known)
        longest = rules.longest * max(self._longest, self._longest_before)
        return max(rules.least, young, total * expm1(rules.surprise / count), longest)


class Watch:
    """One book: how long it has been silent, and which step is due because of it.

    `look` says what is due; `did` notes that it was done, so that a step can be put off. `step` is the last that was
    done for the silence at hand, "" if none was.
    """

    __slots__ = ("_at", "_frames", "_moved", "_sequence", "_stamp", "_until", "kept_quiet", "mended", "pace", "rules",
                 "since", "step")

    def __init__(self, rules: Patience) -> None:
        self.rules = rules
        self.pace = Pace()
        self.step = ""
        self.since: float | None = None     # when the last message was seen, None while the book is not LIVE
        self.mended = 0                     # silences that were ended by a step, with something missed
        self.kept_quiet = 0                 # silences with a step in which nothing had happened
        self._stamp = self._sequence = 0    # of the last message
        self._until = inf                   # before this time nothing is due
        self._at = 0.0                      # when the last step was done,
        self._frames = 0                    # and how many frames the line had had then
        self._moved = False                 # something has come since

    def away(self) -> None:
        """The book is not LIVE: it does not claim to be what the venue has, and its silence is nobody's fault."""
        self.since = None
        if self.step in (PROBE, RESUBSCRIBE):
            self.step = ""

    def look(self, now: float, stamp: int, sequence: int, frames: int) -> str:
        """The step that is due for a LIVE book, "" for none.

        Parameters: stamp, sequence -- receive time and number of its last message. frames -- what its line has had.
        """
        if self.since is None or stamp != self._stamp:
            self._heard(now, stamp, sequence)
            return ""
        if now < self._until:
            return ""
        if not self.step:
            return PROBE
        if self.step == PROBE:
            if frames != self._frames:
                return RESUBSCRIBE
            return RECONNECT if now - self._at > self.rules.probe else ""
        if self.step == RESUBSCRIBE:
            return RECONNECT if now - self._at > self.rules.answer else ""
        return GIVE_UP

    def did(self, step: str, now: float, frames: int) -> None:
        """A step was done."""
        self.step = step
        self._at = now
        self._frames = frames
        self._moved = False

    def quiet(self, now: float) -> None:
        """It is proved that nothing has happened since the last message: this book can be so silent."""
        self.kept_quiet += 1
        if self.since is not None:
            self._note(now, now - self.since)
        self.step = ""

    def missed(self, now: float, stamp: int, sequence: int) -> None:
        """Something had happened, as a snapshot from elsewhere shows: the stream itself has still to go on."""
        self._stamp, self._sequence = stamp, sequence
        self._note(now, None)

    def silence(self, now: float) -> float:
        """Seconds since the last message."""
        return now - self.since if self.since is not None else 0.0

    def _heard(self, now: float, stamp: int, sequence: int) -> None:
        if self.since is None:              # LIVE again: what was done before holds until the stream itself goes on
            self._note(now, None)
        elif self.step in ("", PROBE) or sequence == self._sequence:
            self.kept_quiet += self.step == RESUBSCRIBE
            self._note(now, now - self.since)
            self.step = ""
        elif self.step == RESUBSCRIBE and not self._moved:      # it may be the snapshot that was asked for, and no more
            self._moved = True
            self._note(now, None)
        else:                               # it was ended by what was done, so it says nothing of the symbol
            self.mended += 1
            self._note(now, None)
            self.step = ""
        self._stamp, self._sequence = stamp, sequence

    def _note(self, now: float, pause: float | None) -> None:
        if pause is not None:
            self.pace.note(now, pause)
        self.since = now
        self._until = now + self.pace.patience(self.rules)
