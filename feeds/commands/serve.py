"""`wirebook serve`: the simulated venue, from captures or from a simulated market."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from feeds.capture import check_readable
from feeds.commands.common import MISUSED, CommandError
from feeds.figures import venue_of
from feeds.instruments import Instrument
from feeds.listing import Listing, needs_list
from feeds.simulator.exchange import Exchange
from feeds.simulator.faults import VENUE_KINDS, Faults, Script, read_script
from feeds.simulator.hall import Hall
from feeds.simulator.live import LiveSource
from feeds.simulator.playback import Playback
from feeds.simulator.player import Player
from feeds.simulator.proxy import Proxy
from feeds.simulator.recording import Recording
from feeds.simulator.server import Server
from feeds.venues import load
from feeds.venues.dialects import DIALECTS, SIMULATED, SPOKEN, speech


def run(files: list[str], *, sim: str | None, venue: str | None, host: str, port: int, speed: float, loop: bool,
        symbols: list[str], seed: int, rate: float, compression: bool = False, until_eof: bool = False,
        faults: str | None = None) -> int:
    """Serve until the source ends, or for good. Returns: the exit status."""
    if bool(files) == bool(sim):
        raise CommandError("serve: expected captures or --sim VENUE, one of the two", MISUSED)
    if symbols and not sim:
        raise CommandError("serve: --symbols is for --sim; a capture has the symbols that it has", MISUSED)
    if not rate > 0:
        raise CommandError(f"--rate {rate:g}: expected actions a second, above 0", MISUSED)
    script = read_script(faults) if faults else None
    if script is not None and any(fault.kind in VENUE_KINDS for fault in script.fault) and sim not in SPOKEN:
        raise CommandError(f"{faults}: {', '.join(VENUE_KINDS)} strike simulated venues alone: {', '.join(SPOKEN)}")
    outside = (host, port)                      # with faults, clients connect to what stands before the server
    if script is not None:
        host, port = "127.0.0.1", 0
    check_readable(files)
    name = sim or venue or venue_of(files)
    load(name)
    if sim and name not in SIMULATED:
        raise CommandError(f"{name} cannot be simulated (those that can: {', '.join(SIMULATED)})")
    symbols = symbols_of(name, symbols)
    if compression and (name not in DIALECTS or (sim and name in SPOKEN)):
        raise CommandError(f"--compression: {name} is served without it", MISUSED)
    more = {"compression": True} if compression else {}
    server: Server | Player | Exchange
    if sim and name in SPOKEN:
        if speed == math.inf:
            raise CommandError(f"--speed max: {name} is simulated by the clock; expected a number", MISUSED)
        server = Exchange(Hall(load(name), speech(name), symbols, seed=seed, rate=rate), host=host, port=port,
                          speed=speed)
    elif sim:
        server = Server(LiveSource(name, symbols, seed=seed, rate=rate), host=host, port=port, speed=speed, loop=loop,
                        **more)
    else:
        server = player_of(name, files, host=host, port=port, speed=speed, loop=loop, **more)
    return asyncio.run(_serve(name, server, until_eof, script, outside))


def symbols_of(venue: str, texts: list[str]) -> list[str]:
    """The venue's symbols of what is to be simulated: names are those of what the venue is usually simulated with.

    Raises: UnknownInstrument with near names.
    """
    spec = load(venue)
    if not any(needs_list(spec, text) for text in texts):
        return texts
    if venue in SPOKEN:
        known = [Instrument(it.instrument.symbol, "", "", it.market, it.kind, it.base, it.quote, it.settle,
                            expiry_ns=it.expiry_ns, strike=it.strike, option_type=it.option_type)
                 for it in speech(venue).listed]
    else:
        known = spec.read_instruments(LiveSource(venue, ()).instruments().encode())
    listing = Listing(spec, known)
    symbols = {it.symbol for it in known}
    return [listing.find(text).symbol if needs_list(spec, text) and text not in symbols else text for text in texts]


def player_of(venue: str, files: list[str], **options: Any) -> Server | Player:
    """What serves captures: with books kept beside them, so that who comes late joins in mid-stream, where the
    simulator can write them; else as they are, to each connection from the beginning. Raises: CaptureError."""
    if venue in DIALECTS:
        return Server(Playback(venue, files), **options)
    return Player(Recording(load(venue), files), **options)


async def _serve(venue: str, server: Server | Player | Exchange, until_eof: bool, script: Script | None,
                 outside: tuple[str, int]) -> int:
    url = await server.start()
    if script is not None:
        strike = server.strike if isinstance(server, Exchange) else None
        proxy = Proxy(url, Faults(script), host=outside[0], port=outside[1], venue=strike)
        url = await proxy.start()
    running = asyncio.create_task(server.run())
    terminated = False

    def terminate() -> None:
        nonlocal terminated
        terminated = True
        running.cancel()

    loop = asyncio.get_running_loop()
    with suppress(NotImplementedError):         # not every platform has signals in its event loop
        loop.add_signal_handler(signal.SIGTERM, terminate)
    if until_eof:
        threading.Thread(target=_wait_for_eof, args=(loop, terminate), daemon=True).start()
    print(url, flush=True)
    print(f"{venue} is served at {url}; Ctrl-C ends it", file=sys.stderr, flush=True)
    try:
        await running
    except asyncio.CancelledError:
        if not terminated:
            raise                               # Ctrl-C
    return 0


def _wait_for_eof(loop: asyncio.AbstractEventLoop, terminate: Callable[[], None]) -> None:
    """Call `terminate` in the loop when whoever holds the other end of standard input lets go, or dies."""
    # Not through sys.stdin: a thread that waits inside its buffer would hold a lock that the interpreter wants at exit.
    while os.read(0, 4096):
        pass
    with suppress(RuntimeError):                # the loop has ended by itself
        loop.call_soon_threadsafe(terminate)
