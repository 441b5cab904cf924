"""What a feed connects to: addresses, streams spread over connections within the limits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from feeds.venue import Limits, Stream, VenueSpec

LONGEST_URL = 2000      # characters; longer lists of streams are asked for by messages
LONG_ID = 10 ** 9       # a request id with as many digits as there may ever be
MISSES = 16             # streams in a row that do not fit a request, until it is taken to be full


def moved(address: str, url: str | None) -> str:
    """`address` with the scheme, host and port of `url`, its own path and query kept; `address` itself without `url`.

    moved("wss://host/public?x=1", "ws://127.0.0.1:9000") is "ws://127.0.0.1:9000/public?x=1".
    """
    if url is None:
        return address
    place, own = urlsplit(url), urlsplit(address)
    return urlunsplit((place.scheme, place.netloc, own.path, own.query, ""))


def check_url(name: str, url: str, schemes: Sequence[str]) -> None:
    """Raise ValueError unless `url` is scheme, host and port, nothing else, with one of `schemes`."""
    try:
        place = urlsplit(url)
        good = place.scheme in schemes and bool(place.hostname) and (place.port is None or place.port > 0)
    except (ValueError, AttributeError, TypeError):     # a port that is no number, a thing that is no text
        good = False
    if not good or place.path not in ("", "/") or place.query or place.fragment or "@" in place.netloc:
        wanted = " or ".join(f"{scheme}://host:port" for scheme in schemes)
        raise ValueError(f"{name} must be {wanted} and nothing else, not {url!r}")


def check_proxy(proxy: str) -> None:
    """Raise ValueError unless `proxy` is "environment" or http(s)://[user:password@]host:port; it tells no password."""
    try:
        place = urlsplit(proxy)
        good = proxy == "environment" or (place.scheme in ("http", "https") and bool(place.hostname)
                                          and place.port is not None and place.path in ("", "/")
                                          and not place.query and not place.fragment)
    except (ValueError, AttributeError, TypeError):
        good = False
    if not good:
        raise ValueError("proxy must be http://host:port or https://host:port, with user:password@ before the host "
                         "if it wants them, or 'environment'")


def proxy_for(proxy: str | None, url: str) -> str | None:
    """The proxy by which to connect to `url`, None for none. "environment": HTTPS_PROXY for wss and https, HTTP_PROXY
    for ws and http, but for hosts of NO_PROXY."""
    if proxy != "environment":
        return proxy
    from urllib.request import getproxies, proxy_bypass

    place = urlsplit(url)
    found = getproxies().get({"ws": "http", "wss": "https"}.get(place.scheme, place.scheme))
    if not found or proxy_bypass(place.netloc):
        return None
    found = found if "://" in found else f"http://{found}"
    check_proxy(found)
    return found


def rest_beside(url: str) -> str:
    """REST address of a server that serves WebSocket at `url`: the same host and port."""
    place = urlsplit(url)
    return f"{'https' if place.scheme == 'wss' else 'http'}://{place.netloc}"


def connect_url(spec: VenueSpec, address: str, names: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Address to connect to, and the streams that it asks for by itself (all of `names` or none).

    Venues whose address cannot name streams, and lists too long for one, need messages.
    """
    plain = address + spec.connect_path(())
    if not names:
        return plain, ()
    full = address + spec.connect_path(names)
    if full == plain or len(full) > LONGEST_URL:
        return plain, ()
    return full, tuple(names)


def spread(streams: Iterable[Stream], per_connection: int, chars: int = 0) -> list[list[Stream]]:
    """Lists of streams, one for each connection, in order: one root each, at most `per_connection` of them, whose
    arguments have at most `chars` characters together. 0 is no limit.
    """
    open_lists: dict[str, list[Stream]] = {}
    used: dict[str, int] = {}
    lists = []
    for stream in streams:
        held = open_lists.get(stream.root)
        size = argument_chars(stream.name)
        if held is None or len(held) >= per_connection > 0 or used[stream.root] + size > chars > 0:
            held = open_lists[stream.root] = []
            used[stream.root] = 0
            lists.append(held)
        held.append(stream)
        used[stream.root] += size
    return lists


class PlanError(ValueError):
    """More than a venue allows one address; `limit` is the field of `feeds.venue.Limits` that says so."""

    def __init__(self, venue: str, limit: str, text: str) -> None:
        super().__init__(f"{venue}: {text} ({limit})")
        self.limit = limit


def check_lists(spec: VenueSpec, lists: Sequence[Sequence[Stream]], streams: int = 0, connections: int = 0) -> None:
    """Raise PlanError if connections with these streams are beyond what the venue allows, however slowly they are made.

    streams, connections -- those there are already, beside the lists.
    """
    limits = spec.limits
    streams += sum(map(len, lists))
    connections += len(lists)
    if streams > limits.streams > 0:
        raise PlanError(spec.name, "streams", f"{streams} streams, and one address may have {limits.streams}")
    if connections > limits.connections > 0:
        raise PlanError(spec.name, "connections", f"{connections} connections are needed for {streams} streams, and "
                                                  f"one address may have {limits.connections} open")
    for held in lists:
        for stream in held:
            size = frame_bytes(spec.subscribe([stream.name], LONG_ID)) if limits.request_bytes else 0
            if size > limits.request_bytes:
                raise PlanError(spec.name, "request_bytes", f"the request for {stream.name} has {size} bytes, and the "
                                                            f"venue takes {limits.request_bytes}")
            if argument_chars(stream.name) > limits.argument_chars > 0:
                raise PlanError(spec.name, "argument_chars", f"{stream.name} is longer than the "
                                f"{limits.argument_chars} characters of all arguments of a connection")
        if limits.operations_per_hour and len(held) > limits.operations_per_hour:
            requests = sum(len(frames) for _, frames in requests_for(spec, [stream.name for stream in held]))
            if requests > limits.operations_per_hour:
                raise PlanError(spec.name, "operations_per_hour", f"{requests} requests for {len(held)} streams of one "
                                f"connection, and it may make {limits.operations_per_hour} in an hour")


def requests_for(spec: VenueSpec, names: Sequence[str]) -> Iterator[tuple[list[str], list[str]]]:
    """(streams, frames) of each request that it takes to subscribe to `names`."""
    left = list(names)
    while left:
        group = request_group(spec.subscribe, left, spec.limits.streams_per_request, spec.limits.request_bytes)
        yield group, spec.subscribe(sorted(group), LONG_ID)
        taken = set(group)
        left = [name for name in left if name not in taken]


def argument_chars(name: str) -> int:
    """Characters of a stream in the arguments of a request: its name, two quotation marks and a comma."""
    return len(name) + 3


def has_room(held: Mapping[str, Stream], stream: Stream, limits: Limits) -> bool:
    """Whether a connection with the streams `held`, by name, may have another."""
    if len(held) >= limits.streams_per_connection > 0:
        return False
    return not limits.argument_chars or (
        sum(map(argument_chars, held)) + argument_chars(stream.name) <= limits.argument_chars)


def request_group(make: Callable[[Sequence[str], int], list[str]], names: Iterable[str], most: int,
                  longest: int = 0) -> list[str]:
    """The first of `names` and those that fit into one request frame with it: at most `most` names, `longest` bytes.

    One frame for one request lets every answer be about all that was asked for. Venues differ in what a frame may
    hold: any streams, the symbols of one channel, a single stream. `make` tells: its names and a request id become
    a list of frames. 0 is no limit.
    """
    left = iter(names)
    group = [next(left)]
    alone = size = frame_bytes(make(group, LONG_ID)) if longest else 0
    misses = 0
    for name in left:
        if len(group) >= most > 0 or misses == MISSES:
            break
        pair = make((group[0], name), LONG_ID)
        more = frame_bytes(pair) - alone if longest else 0      # what a name adds, it adds beside any others
        if len(pair) == 1 and (not longest or size + more <= longest):
            group.append(name)
            size += more
            misses = 0
        else:
            misses += 1
    while len(group) > 1:
        frames = make(group, LONG_ID)
        if len(frames) <= 1 and not frame_bytes(frames) > longest > 0:
            break
        del group[len(group) // 2:]     # what fits two by two is too much for one frame
    return group


def frame_bytes(frames: Sequence[str]) -> int:
    """Bytes of the longest of some frames."""
    return max((len(frame.encode()) for frame in frames), default=0)


# ---- what a subscription will take

class PlannedLine(NamedTuple):
    """A connection of a plan."""

    root: str
    address: str            # without the streams
    streams: int
    by_address: bool        # the address names the streams, so that no request is needed
    requests: int           # frames
    request_bytes: int      # of all of them


class Bound(NamedTuple):
    """What a plan takes of one limit."""

    limit: str              # the field of feeds.venue.Limits
    allowed: float
    used: float             # of it: in the fullest connection, or in all where the limit is an address's
    seconds: float          # this limit alone makes the plan take so long; 0 where all of it can be done at once


class Plan(NamedTuple):
    """How a subscription is spread over connections and time; made by `make_plan`."""

    venue: str
    market: str
    symbols: int
    streams: int
    lines: tuple[PlannedLine, ...]
    snapshots: int          # by REST
    snapshot_weight: int    # of each
    bounds: tuple[Bound, ...]
    seconds: float          # from the first connection until every stream and book may be live, as the limits allow

    @property
    def requests(self) -> int:
        """Request frames of all connections."""
        return sum(line.requests for line in self.lines)

    @property
    def request_bytes(self) -> int:
        return sum(line.request_bytes for line in self.lines)

    @property
    def tightest(self) -> Bound | None:
        """The limit that makes the plan take longest; if none does, the one that is used up most. None without any."""
        return max(self.bounds, key=lambda it: (it.seconds, it.used / it.allowed), default=None)


def make_plan(spec: VenueSpec, symbols: Sequence[str], channels: Sequence[str], *, depth: int | None = None,
              speed: str | None = None, market: str | None = None) -> Plan:
    """Plan a subscription as `feeds.connect` would make it, with every limit used to the full.

    Raises: PlanError that says which limit it is beyond; UnsupportedChannel.
    """
    streams = spec.streams(symbols, channels, depth=depth, speed=speed, market=market)
    unique = list({stream.name: stream for stream in reversed(streams)}.values())[::-1]
    limits = spec.limits
    lists = spread(unique, limits.streams_per_connection, limits.argument_chars)
    check_lists(spec, lists)
    books = {stream.name for stream in streams if stream.channel == "book" and not stream.depth}
    if spec.resync != "rest" or spec.snapshot_address is None:
        books = set()
    lines, asked, ready = [], [], 0.0       # asked: times at which books are subscribed to
    for number, held in enumerate(lists):
        opened = max((slot(number, most, seconds) for _, most, seconds in limits.opening), default=0.0)
        line, times = plan_line(spec, held)
        lines.append(line)
        asked += [opened + times[stream.name] for stream in held if stream.name in books]
        ready = max(ready, opened + max(times.values()))
    weight = spec.snapshot_weight(spec.snapshot_limit) if asked else 0
    fetched = snapshot_times(sorted(asked), weight, limits)
    return Plan(spec.name, spec.check_market(market), len(set(symbols)), len(unique), tuple(lines), len(asked), weight,
                plan_bounds(spec, lists, lines, len(asked), weight), max([ready, *fetched[-1:]]))


def plan_line(spec: VenueSpec, held: Sequence[Stream]) -> tuple[PlannedLine, dict[str, float]]:
    """A connection, and stream -> seconds from its opening until it is asked for."""
    names = [stream.name for stream in held]
    address = spec.roots[held[0].root]
    _, by_address = connect_url(spec, address, names)
    if by_address:
        return PlannedLine(held[0].root, address, len(held), True, 0, 0), dict.fromkeys(names, 0.0)
    times: dict[str, float] = {}
    count, size = len(spec.greeting), sum(len(text.encode()) for text in spec.greeting)
    for group, frames in requests_for(spec, names):
        if spec.resync == "request" and spec.request is not None:       # the books' snapshots are asked for besides
            frames = frames + [text for name in group if (text := spec.request(name, LONG_ID))]
        count += len(frames)
        size += sum(len(text.encode()) for text in frames)
        times.update(dict.fromkeys(group, message_time(max(count - 1, 0), spec.limits)))
    return PlannedLine(held[0].root, address, len(held), False, count, size), times


def slot(number: int, most: float, seconds: float) -> float:
    """When event `number` (from 0) may be, where any `seconds` may have `most`; the first at 0."""
    if most <= 0:
        return 0.0
    return number // int(most) * seconds if most >= 1 else number * seconds / most


def message_time(number: int, limits: Limits) -> float:
    """Seconds from a connection's opening until its message `number` (from 0) may be sent."""
    return max(slot(number, limits.messages_per_second, 1.0), slot(number, limits.operations_per_hour, 3600.0))


def snapshot_times(asked: Sequence[float], weight: int, limits: Limits) -> list[float]:
    """When each of the snapshots, wanted from these times on, may be fetched."""
    per_minute = max(1, limits.rest_weight_per_minute // max(weight, 1)) if limits.rest_weight_per_minute else 0
    times: list[float] = []
    for wanted in asked:
        time = wanted
        if per_minute and len(times) >= per_minute:
            time = max(time, times[-per_minute] + 60.0)
        if limits.rest_per_second and times:
            time = max(time, times[-1] + 1.0 / limits.rest_per_second)
        times.append(time)
    return times


def plan_bounds(spec: VenueSpec, lists: Sequence[Sequence[Stream]], lines: Sequence[PlannedLine], snapshots: int,
                weight: int) -> tuple[Bound, ...]:
    """What is used of each limit that the venue has, in the order of `Limits`."""
    limits = spec.limits
    requests = max((line.requests for line in lines), default=0)
    opening = {name: slot(len(lines) - 1, most, seconds) for name, most, seconds in limits.opening}
    chars = max((sum(argument_chars(stream.name) for stream in held) for held in lists), default=0)
    used = {
        "streams_per_connection": (max(map(len, lists), default=0), 0.0),
        "messages_per_second": (requests, slot(max(requests - 1, 0), limits.messages_per_second, 1.0)),
        "connections": (len(lists), 0.0),
        **{name: (len(lists), seconds) for name, seconds in opening.items()},
        "streams": (sum(map(len, lists)), 0.0),
        "argument_chars": (chars, 0.0),
        "operations_per_hour": (requests, slot(max(requests - 1, 0), limits.operations_per_hour, 3600.0)),
        "rest_weight_per_minute": (snapshots * weight, snapshot_times(
            [0.0] * snapshots, weight, replace(limits, rest_per_second=0))[-1] if snapshots else 0.0),
        "rest_per_second": (snapshots, (snapshots - 1) / limits.rest_per_second
                            if snapshots and limits.rest_per_second else 0.0),
    }
    return tuple(Bound(name, getattr(limits, name), amount, seconds) for name, (amount, seconds) in used.items()
                 if getattr(limits, name) and amount)
