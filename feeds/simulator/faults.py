"""What may go wrong between a venue and a client: a script of faults, and which of them strikes now. No sockets.

    seed = 7
    [[fault]]
    kind = "drop"               # a frame of the venue is lost
    rate = 0.001                # one in a thousand; or every = 1000, or at_s = [5.0, 60.0]
    match = "books"             # frames that hold this text alone

The same script and the same frames give the same faults.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

# ---- what there is

# To a frame of the venue.
FRAME_KINDS = {
    "drop": "is lost",
    "duplicate": "comes twice",
    "reorder": "comes after the next one",
    "delay": "and all behind it come `seconds` later",
    "burst": "and the next `count` come at once, when the last of them is there",
    "corrupt": "has another number at `key` (of a checksum, say)",
    "add_key": "has a key more, `key`, in its outermost object",
    "drop_key": "lacks `key`, or any one of its keys",
    "retype_key": "has text for a number or a number for text at `key`, or at any one of its keys",
    "truncate": "is cut short, its length with it",
    "oversize": "is followed by one of `count` bytes",
    "garbage": "is bytes without sense, behind the head of a gzip member",
    "fragment": "comes in `count` WebSocket fragments, with a ping between them",
    "slice": "comes byte by byte",
    "bad_frame": "has reserved bits that nobody agreed on",
}
# To a connection.
LINE_KINDS = {
    "reset": "is reset (RST)",
    "close": "is closed with `code`",
    "half_open": "is dead for `seconds`, and nobody is told: bytes of either side go nowhere; then it is reset",
    "silent": "says nothing for `seconds`, not even pongs; what it would have said is lost",
    "stall": "is not read by the venue for `seconds`",
    "break_tls": "ends with bytes that are no TLS record, and without an end of TLS (without TLS: within a frame)",
}
# To an attempt to connect.
OPENING_KINDS = {
    "refuse": "is answered with the HTTP status `code`",
    "redirect": "is answered with 302",
    "slow_opening": "is answered after `seconds`",
    "abort_opening": "is reset before the answer",
}
# To an attempt to connect, or a REST request, that has not said yet what it wants.
TLS_KINDS = {
    "abort_tls": "is reset in the middle of the TLS handshake (without TLS: before it is read)",
}
# To a REST request.
REST_KINDS = {
    "rest_status": "is answered with `code`, and Retry-After `seconds` where that is 429 or 418",
    "rest_slow": "is answered after `seconds`: the snapshot is older than the stream",
    "rest_stale": "is given the answer that was given first for that address",
    "rest_garbage": "is answered with half of the answer",
    "rest_reset": "is reset",
}
# To the simulated venue itself; a recording has none of them.
VENUE_KINDS = {
    "restart": "numbers everything anew, and closes every connection with 1012",
    "delist": "no longer trades `match`",
    "clock_jump": "has another idea of the time, by `seconds`",
}
KINDS = {**FRAME_KINDS, **LINE_KINDS, **OPENING_KINDS, **TLS_KINDS, **REST_KINDS, **VENUE_KINDS}

NAMELESS = {*VENUE_KINDS, *TLS_KINDS}       # what they strike holds no text that `match` could be in
CLOSE_CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4000, 4999)


class ScriptError(ValueError):
    """A script of faults that says nothing or nonsense; `str()` names the file, the fault and what was expected."""


class Fault(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One line of a script."""

    kind: str
    rate: float = 0.0           # chance of each frame, connection attempt or request
    every: int = 0              # or: each so many of them
    at_s: tuple[float, ...] = ()    # or: the first one after each of these times
    after_s: float = 0.0        # nothing before,
    until_s: float = float("inf")   # and nothing from then on; seconds since the start
    match: str = ""             # text that the frame, or the address, must hold; a symbol of the venue
    seconds: float = 1.0        # how long, or how late
    count: int = 4              # frames of a burst, fragments, bytes of an oversize frame
    code: int = 0               # close code or HTTP status; 0: any usual one
    key: str = ""               # of a frame's JSON


class Script(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """All faults of a run."""

    fault: tuple[Fault, ...] = ()
    seed: int = 0


def read_script(path: str) -> Script:
    """The script in a TOML file. Raises: ScriptError, OSError."""
    with open(path, "rb") as file:
        text = file.read()
    try:
        script = msgspec.toml.decode(text, type=Script)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ScriptError(f"{path}: expected a script of faults: {error}") from None
    check(script, path)
    return script


def check(script: Script, name: str = "faults") -> None:
    """Raise ScriptError for a fault that cannot strike or means nothing."""
    for number, fault in enumerate(script.fault, 1):
        where = f"{name}: fault {number}"
        if fault.kind not in KINDS:
            raise ScriptError(f"{where}: expected a kind of {', '.join(KINDS)}, found {fault.kind!r}")
        if not 0 <= fault.rate <= 1 or fault.every < 0 or not (fault.rate or fault.every or fault.at_s):
            raise ScriptError(f"{where} ({fault.kind}): expected rate (above 0, up to 1), every (above 0) or at_s")
        if list(fault.at_s) != sorted(fault.at_s):
            raise ScriptError(f"{where} ({fault.kind}): expected the times of at_s in their order")
        if fault.kind == "corrupt" and not fault.key:
            raise ScriptError(f"{where} (corrupt): expected the key of a number")
        if fault.kind == "delist" and not fault.match:
            raise ScriptError(f"{where} (delist): expected match, a symbol as the venue writes it")
        if fault.seconds < 0 and fault.kind != "clock_jump" or fault.count < 1:
            raise ScriptError(f"{where} ({fault.kind}): expected seconds of 0 and more, and a count of 1 and more")
        if fault.kind == "close" and fault.code and not (1000 <= fault.code <= 4999):
            raise ScriptError(f"{where} (close): expected a code from 1000 to 4999, found {fault.code}")


# ---- what strikes

class Frame(NamedTuple):
    """A frame of the venue on its way."""

    opcode: int                 # 1 text, 2 binary
    payload: bytes
    how: str = ""               # "fragment", "slice" or "bad_frame"; "": whole
    late_s: float = 0.0         # it, and what is behind it, goes out so much later
    parts: int = 1              # fragments


@dataclass(slots=True)
class _Turn:
    """Whether a fault strikes: its own chances, counts and times."""

    fault: Fault
    random: random.Random
    seen: int = 0
    struck: int = 0
    times: int = 0              # of `at_s` that are over
    skip: int = -1              # how many more are let through before chance strikes; -1: not drawn yet

    def chance(self) -> bool:
        """One in 1 / rate, drawn once a strike and not once a frame."""
        rate = self.fault.rate
        if not rate:
            return False
        if self.skip < 0:
            self.skip = int(math.log(1.0 - self.random.random()) / math.log(1.0 - rate)) if rate < 1 else 0
        self.skip -= 1
        return self.skip < 0

    def now(self, now_s: float, text: bytes) -> bool:
        fault = self.fault
        matches = not fault.match or fault.kind in NAMELESS or fault.match.encode() in text
        if not fault.after_s <= now_s < fault.until_s or not matches:
            return False
        self.seen += 1
        due = self.times < len(fault.at_s) and now_s >= fault.at_s[self.times]
        if due:
            self.times += 1
        if self.chance() or due or (fault.every and self.seen % fault.every == 0):
            self.struck += 1
            return True
        return False


class Faults:
    """The faults of a script, as they strike.

    One object for one served venue; `line` gives what happens to the frames of one connection. `counts` says how
    often each kind has struck.
    """

    def __init__(self, script: Script):
        check(script)
        self.random = random.Random(script.seed)
        self._turns = [_Turn(fault, random.Random(f"{script.seed}/{number}"))
                       for number, fault in enumerate(script.fault)]
        self._by_kinds = {id(kinds): [turn for turn in self._turns if turn.fault.kind in kinds]
                          for kinds in (FRAME_KINDS, LINE_KINDS, OPENING_KINDS, TLS_KINDS, REST_KINDS, VENUE_KINDS)}

    @property
    def counts(self) -> dict[str, int]:
        """How often each kind of the script has struck."""
        found: dict[str, int] = {}
        for turn in self._turns:
            found[turn.fault.kind] = found.get(turn.fault.kind, 0) + turn.struck
        return found

    def strikes(self, kinds: dict[str, str], now_s: float, text: bytes = b"") -> list[Fault]:
        """The faults of one of the groups of kinds that strike now; `text` is what they would strike."""
        return [turn.fault for turn in self._by_kinds[id(kinds)] if turn.now(now_s, text)]

    def rest(self) -> None:
        """Let nothing strike any more; `counts` stay."""
        for held in self._by_kinds.values():
            held.clear()

    def accepting(self, now_s: float) -> Fault | None:
        """What happens to an attempt to connect before it has said anything."""
        return next(iter(self.strikes(TLS_KINDS, now_s)), None)

    def opening(self, address: str, now_s: float) -> Fault | None:
        """What happens to an attempt to connect."""
        return next(iter(self.strikes(OPENING_KINDS, now_s, address.encode())), None)

    def request(self, address: str, now_s: float) -> Fault | None:
        """What happens to a REST request."""
        return next(iter(self.strikes(REST_KINDS, now_s, address.encode())), None)

    def venue(self, now_s: float) -> list[Fault]:
        """What happens to the venue itself."""
        return self.strikes(VENUE_KINDS, now_s)

    def line(self) -> LineFaults:
        """The faults of a new connection."""
        return LineFaults(self)

    def code(self, fault: Fault) -> int:
        """The close code or HTTP status of a fault."""
        if fault.code:
            return fault.code
        if fault.kind == "close":
            return self.random.choice(CLOSE_CODES)
        return self.random.choice((429, 418, 500, 503) if fault.kind == "rest_status" else (403, 429, 500, 502, 503))


class LineFaults:
    """What happens to the frames of one connection, in their order."""

    def __init__(self, faults: Faults):
        self._faults = faults
        self._held: list[Frame] = []        # to be sent behind the next frame,
        self._missing = 0                   # or once so many more have come

    def frames(self, opcode: int, payload: bytes, now_s: float) -> tuple[list[Frame], Fault | None]:
        """What becomes of a frame: the frames that go out now, and what strikes the connection with it."""
        faults = self._faults
        broken = next(iter(faults.strikes(LINE_KINDS, now_s, payload)), None)
        out = [Frame(opcode, payload)]
        swapped = False
        for fault in faults.strikes(FRAME_KINDS, now_s, payload):
            if not out:
                break                       # it is lost already
            if fault.kind == "drop":
                out = []
            elif fault.kind == "duplicate":
                out.append(out[-1])
            elif fault.kind == "reorder":
                swapped = True
            elif fault.kind == "burst":
                self._missing = fault.count
            elif fault.kind == "oversize":
                out.append(Frame(1, b"[" + b" " * fault.count + b"]"))
            else:
                out[0] = _changed(out[0], fault, faults.random)
        if self._missing:
            self._missing -= 1
            self._held += out
            out = []
            if not self._missing:
                out, self._held = self._held, []
        elif swapped and not self._held:
            self._held, out = out, []
        elif self._held:
            out, self._held = out + self._held, []
        return out, broken


def _changed(frame: Frame, fault: Fault, dice: random.Random) -> Frame:
    """A frame with a fault of its content or of its form."""
    kind, payload = fault.kind, frame.payload
    if kind == "delay":
        return frame._replace(late_s=frame.late_s + fault.seconds)
    if kind in ("slice", "bad_frame"):
        return frame._replace(how=kind)
    if kind == "fragment":
        return frame._replace(how=kind, parts=max(2, fault.count))
    if kind == "truncate":
        return frame._replace(payload=payload[:dice.randrange(len(payload))] if payload else payload)
    if kind == "garbage":
        return Frame(2, b"\x1f\x8b\x08" + dice.randbytes(max(8, len(payload) // 2)))
    changed = change_json(payload, kind, fault.key, dice)
    return frame if changed is None else frame._replace(payload=changed)


def change_json(payload: bytes, kind: str, key: str, dice: random.Random) -> bytes | None:
    """A frame of JSON with a key more ("add_key"), less ("drop_key"), of another type ("retype_key") or with another
    number ("corrupt"); None where it has none of that. Numbers that are not changed stay as they were written."""
    try:
        message = json.loads(payload, parse_float=_Number, parse_int=_Number)
    except (ValueError, RecursionError):
        return None
    if kind == "add_key":
        if not isinstance(message, dict):
            return None
        message[key or "wirebook"] = "new"
    else:
        places = [(holder, name) for holder, name in _places(message) if key in ("", name)]
        if kind != "drop_key":
            fits = _is_number if kind == "corrupt" else lambda value: isinstance(value, str)
            places = [(holder, name) for holder, name in places if fits(holder[name])]
        if not places:
            return None
        holder, name = dice.choice(places)
        if kind == "drop_key":
            del holder[name]
        elif kind == "retype_key":
            held = holder[name]
            holder[name] = str(held) if isinstance(held, _Number) else _Number(held) if _is_number(held) else _Number(7)
        else:
            held = holder[name]
            digit = next(place for place, letter in enumerate(held) if letter.isdigit())
            text = f"{held[:digit]}{(int(held[digit]) + 1) % 9 + 1}{held[digit + 1:]}"
            holder[name] = _Number(text) if isinstance(held, _Number) else text
    return _dump(message).encode()


class _Number(str):
    """A number as it stands in the JSON."""

    __slots__ = ()


def _is_number(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        float(value)
    except ValueError:
        return False
    return any(letter.isdigit() for letter in value)


def _places(value: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Every member of every object."""
    if isinstance(value, dict):
        for name, held in value.items():
            yield value, name
            yield from _places(held)
    elif isinstance(value, list):
        for held in value:
            yield from _places(held)


def _dump(value: Any) -> str:
    """JSON without spaces, numbers as they were."""
    if isinstance(value, _Number):
        return str.__str__(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{_dump(held)}" for name, held in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dump, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


