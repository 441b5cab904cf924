"""`wirebook serve --sim V` and `wirebook watch V`: every venue that is simulated, by its symbols and by normalised names."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from feeds.instruments import Instrument
from feeds.listing import Listing
from feeds.venues import VENUES, load
from feeds.venues.dialects import SIMULATED, SPOKEN, instruments, speech

LIMIT_S = 60.0
LINE = re.compile(r"\bLIVE\b")


@contextmanager
def served(venue, *options):
    """A simulated venue in a process of its own; gives its URL."""
    server = subprocess.Popen([sys.executable, "-m", "feeds.cli", "serve", "--sim", venue, *options],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.communicate(timeout=LIMIT_S)


def watched(venue, url, text, market):
    """What `watch` says of one symbol or name."""
    more = ["--market", market] if market else []
    return subprocess.run([sys.executable, "-m", "feeds.cli", "watch", venue, text, "--url", url, "--plain",
                           "--seconds", "3", *more], capture_output=True, text=True, timeout=LIMIT_S)


def asked_for(venue):
    """(symbol or name, market) of one instrument of each market, as the venue and as everybody writes it."""
    if venue not in SPOKEN:
        spec_names = {"binance_spot": "BTC-USDT", "binance_usdm": "BTC-USDT-PERP", "binance_coinm": "BTC-USD-PERP"}
        return [(instruments(venue)[0].symbol, ""), (spec_names[venue], "")]
    listing = Listing(load(venue), [
        Instrument(it.instrument.symbol, "1", "1", it.market, it.kind, it.base, it.quote, it.settle,
                   expiry_ns=it.expiry_ns, strike=it.strike, option_type=it.option_type)
        for it in speech(venue).listed])
    first = {instrument.market: instrument for instrument in reversed(list(listing))}
    return list(dict.fromkeys((text, market) for market, it in first.items() for text in (it.symbol, listing.name(it))))


def test_every_venue_is_simulated():
    assert set(SIMULATED) == set(VENUES)


@pytest.mark.parametrize("venue", SIMULATED)
def test_a_simulated_venue_is_watched(venue):
    """By the venue's symbol and by the name that is the same everywhere: live books, and nothing to complain of."""
    with served(venue, "--rate", "100") as url, ThreadPoolExecutor(2) as pool:
        runs = [(text, pool.submit(watched, venue, url, text, market)) for text, market in asked_for(venue)]
        for text, run in runs:
            result = run.result()
            assert result.returncode == 0, f"{text}: {result.stdout}{result.stderr}"
            assert LINE.search(result.stdout), f"{text}: {result.stdout}{result.stderr}"
            assert "Traceback" not in result.stderr
