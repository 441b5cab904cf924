"""What one connection has asked the venue for, and what the venue has answered.

Book-keeping alone: it says what to ask for next and takes the answers; sockets, clocks and waiting are elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from feeds.plan import request_group
from feeds.venue import ERRORS, Control, Stream, VenueError, VenueSpec

SUBSCRIBE, UNSUBSCRIBE, SNAPSHOT = "subscribe", "unsubscribe", "snapshot"       # what a request asks for
SOON = 0.1                  # of the time an answer may take: within it one is expected if all is well


@dataclass(slots=True)
class Request:
    """A request that waits for its answer."""

    what: str               # SUBSCRIBE, UNSUBSCRIBE or SNAPSHOT
    all: frozenset[str]     # streams it is about
    names: set[str]         # those of them that are not answered for yet
    sent: float             # when
    deadline: float         # when its answer is missing
    spoilt: bool = False    # a name of it was refused: the venue may have dropped the whole request


class Requests:
    """The requests of one connection, through all its lines.

    `streams` is what the connection is for, by name; `due` gives what has to be asked for so that the venue sends just
    that. Times are seconds of any one clock, given by the caller.
    """

    tries = 3               # requests for a stream without an answer, until it counts as refused
    suspect_after = 2       # lines lost while a stream was asked for, until it is asked for alone

    def __init__(self, spec: VenueSpec) -> None:
        self.spec = spec
        self.streams: dict[str, Stream] = {}
        self.asked: dict[str, float] = {}   # streams asked for on this line, and when
        self.confirmed: set[str] = set()    # streams the venue has accepted
        self.refused: dict[str, str] = {}   # stream -> the venue's words
        self.errors: dict[str, VenueError] = {}         # stream -> the error that refused it, if it was one
        self.patience = 0.0                 # seconds an answer may take
        self._renew: set[str] = set()       # streams to be unsubscribed and subscribed again
        self._wanted: set[str] = set()      # streams whose snapshot is to be requested
        self._halves: list[list[str]] = []  # parts of refused requests, to be asked for one after the other
        self._handles: dict[str, str] = {}  # stream -> what the venue wants to be told when unsubscribing
        self._pending: dict[int, Request] = {}          # request id -> what waits for its answer, oldest first
        self._missed: dict[str, int] = {}   # stream -> requests without an answer
        self._lost_with: dict[str, int] = {}            # stream -> lines lost while it was asked for, in a row

    # ---- what the connection is for

    def add(self, stream: Stream) -> None:
        """Take on a stream."""
        self.streams[stream.name] = stream
        for noted in (self.refused, self.errors, self._missed, self._lost_with):
            noted.pop(stream.name, None)
        if stream.name not in self.confirmed and not any(
                stream.name in request.names for request in self._pending.values() if request.what == SUBSCRIBE):
            self.asked.pop(stream.name, None)       # taken back and taken on again: nothing is on its way

    def remove(self, name: str) -> None:
        """Give up a stream."""
        del self.streams[name]
        if name in self.refused:        # the venue has never begun to send it
            self.asked.pop(name, None)
            self.confirmed.discard(name)

    def renew(self, names: Iterable[str]) -> None:
        """Unsubscribe and subscribe again."""
        self._renew.update(name for name in names if name in self.asked)

    def want_snapshot(self, name: str) -> None:
        """Request a snapshot, once the stream is confirmed."""
        self._wanted.add(name)

    def begin(self, by_url: Iterable[str], now: float, patience: float) -> None:
        """Start clean on a new line, whose address has asked for `by_url` already."""
        self.patience = patience
        self.asked = dict.fromkeys(by_url, now)
        self.confirmed = set(self.asked)
        self.refused = {name: text for name, text in self.refused.items() if name in self._lost_with}
        self.errors.clear()
        for noted in (self._renew, self._wanted, self._halves, self._handles, self._pending, self._missed):
            noted.clear()

    def lost(self, now: float) -> set[str]:
        """The venue has ended the line. Returns: streams that are left out from now on because they make it do so.

        Some venues end the line instead of refusing a name. What was just asked for is kept in mind; a name that was
        there twice is asked for alone; if that ends a line on which others were accepted, it is it.
        """
        pending = [request.names for request in self._pending.values()
                   if request.what == SUBSCRIBE and now - request.sent < SOON * self.patience]
        guilty = set()
        for name in set().union(*pending):
            self._lost_with[name] = self._lost_with.get(name, 0) + 1
            if self._lost_with[name] > self.suspect_after and len(pending) == 1 and self.confirmed:
                guilty.add(name)
        self.refuse(guilty, "the venue ends the connection when it is asked for it")
        self.confirmed = set()
        return guilty

    # ---- asking

    def due(self) -> tuple[str, list[str]] | None:
        """(what, streams) of the next request; None if nothing is left to ask for."""
        limits = self.spec.limits
        most, longest = limits.streams_per_request, limits.request_bytes
        gone = sorted(name for name in self.asked if name not in self.streams or name in self._renew)
        if gone:
            return UNSUBSCRIBE, request_group(lambda some, number: self.frames(UNSUBSCRIBE, some, number), gone, most,
                                              longest)
        for name in sorted(self._wanted):
            if name in self.confirmed:
                return SNAPSHOT, [name]
        missing = [name for name in self.streams if name not in self.asked and name not in self.refused]
        while self._halves:
            half = [name for name in self._halves[0] if name in missing]
            if half:
                return SUBSCRIBE, half
            del self._halves[0]
        plain = [name for name in missing if self._lost_with.get(name, 0) < self.suspect_after]
        if plain:
            return SUBSCRIBE, sorted(request_group(self.spec.subscribe, plain, most, longest))
        if missing and not any(request.what == SUBSCRIBE for request in self._pending.values()):
            return SUBSCRIBE, [min(missing, key=lambda name: self._lost_with[name])]
        return None

    def frames(self, what: str, names: Iterable[str], number: int) -> list[str]:
        """Text frames of a request with that id; none where it cannot be said."""
        if what == SUBSCRIBE:
            return self.spec.subscribe(list(names), number)
        if what == UNSUBSCRIBE:
            return self.spec.unsubscribe([self._handles.get(name, name) for name in names], number)
        return [self.spec.request(name, number) for name in names] if self.spec.request is not None else []

    def note(self, what: str, names: list[str], number: int, frames: int, now: float) -> set[str]:
        """A request of so many frames is being sent.

        Returns: streams that should begin anew and cannot, as nothing can be said to end them.
        """
        stuck: set[str] = set()
        if frames:
            self._pending[number] = Request(what, frozenset(names), set(names), now, now + self.patience)
        if what == SUBSCRIBE:
            self.asked.update(dict.fromkeys(names, now))
            if not frames:              # the venue sends it anyway
                self._confirm(names)
        elif what == UNSUBSCRIBE:
            renewed = self._renew.intersection(names)
            stuck = set() if frames else renewed
            self._renew -= renewed
            self.confirmed.difference_update(names)
            for name in names:
                del self.asked[name]
        else:
            self._wanted.difference_update(names)
        return stuck

    def ask_again(self, what: str, names: Iterable[str], now: float) -> None:
        """Take it that a request was never made."""
        for name in names:
            if what == SUBSCRIBE:
                self.asked.pop(name, None)
                self.confirmed.discard(name)
            elif what == UNSUBSCRIBE:
                self.asked.setdefault(name, now)
                if name in self.streams:
                    self._renew.add(name)

    # ---- answers

    def accept(self, control: Control, now: float) -> None:
        """Take an acknowledgement."""
        # Also of those that were asked for twice, or were refused by mistake because an error named nobody.
        names = self.among([*self.asked, *self.refused], control.streams) if control.streams else set()
        for name in names & self.refused.keys() & self.streams.keys():
            self.asked.setdefault(name, now)
        for what, answered in self.answered(control):
            if what == SUBSCRIBE:
                names |= answered
        self._confirm(names)
        if control.handle:
            self._handles.update(dict.fromkeys(names, control.handle))

    def answered(self, control: Control) -> list[tuple[str, set[str]]]:
        """(what was asked for, streams) that an answer is about; the requests wait no more for these.

        An answer that says neither a request nor a stream is taken for one to the oldest request; so is an error about
        a name, but one that may be about anything only if there is no other request.
        """
        ids = list(self._pending)
        if control.request_id is not None:
            ids = [control.request_id] if control.request_id in self._pending else []
        elif not control.streams and control.kind == "ack":
            ids = ids[:1]
        elif not control.streams and ERRORS.get(control.reason, VenueError).reaction == "skip":
            ids = [number for number in ids if self._pending[number].what == SUBSCRIBE][:1]
        elif not control.streams and len(ids) > 1:
            ids = []
        found = []
        for number in ids:
            request = self._pending[number]
            names = self.among(request.names, control.streams)
            if control.request_id is not None and not self.among(request.all, control.streams):
                names = set(request.names)      # it says them in another spelling
            request.names -= names
            if not request.names:
                del self._pending[number]
            if names:
                found.append((request.what, names))
        return found

    def among(self, names: Iterable[str], told: Iterable[str]) -> set[str]:
        """Those of `names` that an answer tells of, by themselves or else by their symbols; all if it tells of none."""
        told = set(told)
        if not told:
            return set(names)
        return told.intersection(names) or {
            name for name in names if name in self.streams and self.streams[name].symbol in told}

    def refuse(self, names: Iterable[str], text: str, error: VenueError | None = None) -> None:
        """Leave streams out until they are asked for anew, or another line is open."""
        for name in names:
            if name in self.streams:
                self.refused[name] = text
                self.asked.pop(name, None)
                self.confirmed.discard(name)
                if error is not None:
                    self.errors[name] = error

    def halve(self, names: Iterable[str], now: float) -> None:
        """A request was refused as a whole for one of its names, or some: ask for each half."""
        found = sorted(names)
        self.ask_again(SUBSCRIBE, found, now)
        self._halves += [found[:len(found) // 2], found[len(found) // 2:]]

    def spoil(self, number: int | None, now: float) -> None:
        """A name of a request was refused. Venues differ: answers for its other names follow soon, or never."""
        rest = self._pending.get(number) if number is not None else None
        if rest is not None:
            rest.spoilt = True
            rest.deadline = min(rest.deadline, now + SOON * self.patience)

    def overdue(self, now: float, is_there: Callable[[str], bool]) -> list[tuple[int, str, list[str]]]:
        """(id, what, streams) of requests that were not answered in time; subscriptions are repeated a few times.

        A stream that `is_there` needs no other answer, and some venues send none.
        """
        found = []
        for number, request in list(self._pending.items()):
            if request.what == SUBSCRIBE and now - request.sent > SOON * self.patience:
                for name in request.names:          # the line has lived on with it
                    self._lost_with.pop(name, None)
                self._confirm([name for name in request.names if is_there(name)])
            left = request.names
            if request.what == SUBSCRIBE:
                left = left & self.streams.keys() - self.confirmed
            if left and now <= request.deadline:
                continue
            del self._pending[number]
            if left and request.spoilt:
                self.ask_again(SUBSCRIBE, left, now)
            elif left:
                found.append((number, request.what, sorted(left)))
                if request.what == SUBSCRIBE:
                    self._miss(left)
        return found

    def _miss(self, names: Iterable[str]) -> None:
        for name in names:
            self._missed[name] = self._missed.get(name, 0) + 1
            if self._missed[name] < self.tries:
                self.asked.pop(name, None)
            else:                           # it may come all the same, so it stays asked for
                self.refused[name] = f"no answer to {self.tries} requests"

    def _confirm(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self.asked:
                self.confirmed.add(name)
            for noted in (self._missed, self._lost_with, self.refused, self.errors):
                noted.pop(name, None)
