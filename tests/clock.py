"""An event loop whose time does not pass by itself: it jumps to the next timer when nothing else is left to do.

What takes an hour of waiting is over in a moment, with real sockets on loopback between the two ends of a test.
"""

from __future__ import annotations

import asyncio
import selectors

STUCK_S = 10.0          # real seconds without a timer, a thread or a byte: then a test waits for nothing


class _Selector(selectors.DefaultSelector):
    """Never waits while there is a timer: it lets the time of its loop jump there instead."""

    loop: VirtualLoop

    def select(self, timeout=None):
        if not self.loop.sockets:
            self.loop.now += timeout or 0.0
            return []
        if self.loop.threads:           # what a thread does takes real time, and none of the loop's
            return super().select(0.001)
        events = super().select(0)
        if events or timeout == 0:
            return events
        if timeout is None:
            events = super().select(STUCK_S)
            assert events, "everybody waits, and nothing is coming"
            return events
        self.loop.now += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its `time` starts at 1000 s; use it for everything that a test must not wait for.

    sockets -- False where nothing comes from outside: then nobody is asked whether something has.
    """

    def __init__(self, sockets=True):
        self.now = 1000.0
        self.sockets = sockets
        self.threads = 0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self):
        return self.now

    def run_in_executor(self, executor, func, *args):
        future = super().run_in_executor(executor, func, *args)
        self.threads += 1
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, _):
        self.threads -= 1


def run_virtually(coroutine, monkeypatch):
    """Run a test's coroutine in virtual time, which then is the time of REST and connection limits too."""
    from feeds import rest

    loop = VirtualLoop()
    monkeypatch.setattr(rest, "_windows", {})
    monkeypatch.setattr(rest, "_places", {})
    monkeypatch.setattr(rest, "default_clock", loop.time)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(coroutine)
