"""What the examples share: their options, and a simulated venue for those that are given no address."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def options(description: str | None, venue: str = "kraken", symbol: str = "BTC-USD") -> argparse.Namespace:
    """The command line: venue, symbol, address and how long."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--venue", default=venue, help="name of the venue; `wirebook venues` lists them (%(default)s)")
    parser.add_argument("--symbol", default=symbol, help="what to watch there (%(default)s)")
    parser.add_argument("--url", help="ws://host:port of a server; without it a simulated venue is started")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long (%(default)s)")
    return parser.parse_args()


@contextmanager
def server(venue: str, symbol: str, url: str | None = None, seed: int = 0) -> Iterator[str]:
    """The address to connect to: `url`, else that of a simulated venue, which ends with the block."""
    if url is not None:
        yield url
        return
    command = [sys.executable, "-m", "feeds.cli", "serve", "--sim", venue, "--symbols", symbol, "--seed", str(seed),
               "--port", "0", "--until-eof"]        # any free port, and it ends when its standard input does
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        assert process.stdin and process.stdout and process.stderr
        started = process.stdout.readline().strip()
        if not started:
            raise SystemExit(f"the simulated {venue} did not start: {process.stderr.read()}")
        try:
            yield started
        finally:
            process.stdin.close()
