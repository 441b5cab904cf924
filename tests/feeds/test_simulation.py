"""A thousand hours of venues and clients with faults: no book is ever LIVE and wrong, and it comes back.

Seeds are fixed, so that every run is the same; WIREBOOK_SEED gives another one. One run again, with the client's log:
python -m tests.simulation --seed N --hours H --venue NAME --log
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import pytest

from feeds.simulator.faults import FRAME_KINDS, LINE_KINDS, OPENING_KINDS, Fault
from tests.simulation import FAMILIES, ROUGH, Chain, World

SEED = int(os.environ.get("WIREBOOK_SEED") or 20261122)
LONG_HOURS = 64.0           # with faults, of each run; an eighth more without
LONG_RUNS = 4               # of each family


def live(hours, job):
    """One run in a process of its own."""
    family, seed = job
    logging.disable(logging.CRITICAL)
    return World(family, seed, hours).run()


def spread_over_cores(hours, jobs):
    """The runs, as many at a time as there are cores."""
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        return list(pool.map(partial(live, hours), jobs))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_day_with_faults(family):
    """Short runs of every family, in this process: what fails here is easiest to look into."""
    logging.disable(logging.CRITICAL)
    try:
        figures = World(family, SEED, 3.0).run()
    finally:
        logging.disable(logging.NOTSET)
    assert figures.compared > 1_000
    assert figures.faults.total() > 50
    assert figures.quiet_away_s == 0.0


def test_the_same_seed_lives_the_same_day():
    logging.disable(logging.CRITICAL)
    try:
        one, other = (World(Chain, SEED, 1.0).run() for _ in range(2))
        another = World(Chain, SEED + 1, 1.0).run()
    finally:
        logging.disable(logging.NOTSET)
    assert one == other
    assert one != another


def test_without_faults_a_book_stays_live():
    figures = World(Chain, SEED, 8.0, script=()).run()
    assert figures.away_s == figures.quiet_away_s == 0.0
    assert figures.opens == 1


@pytest.mark.parametrize("kind", [*FRAME_KINDS, *LINE_KINDS, *OPENING_KINDS])
@pytest.mark.parametrize("family", FAMILIES)
def test_each_fault_alone(family, kind):
    """So often that it strikes while the client is still busy with the one before."""
    if kind in ("corrupt", "oversize", "fragment", "slice", "bad_frame", "redirect", "stall"):
        pytest.skip("needs a socket (tests/feeds/test_faults.py), or no client could see it")
    openings = (Fault("reset", rate=0.01),) if kind in OPENING_KINDS else ()
    script = (*openings, Fault(kind, rate=0.3 if kind in OPENING_KINDS else 0.05, seconds=20.0))
    logging.disable(logging.CRITICAL)
    try:
        figures = World(family, SEED, 1.0, script=script).run()
    finally:
        logging.disable(logging.NOTSET)
    assert figures.faults[kind]
    assert figures.quiet_away_s == 0.0


@pytest.mark.slow
def test_a_thousand_hours():
    """The demand: 1,000 hours, 2 million book messages, 50,000 faults, and not one book that is LIVE and wrong."""
    jobs = [(family, SEED + number) for number in range(LONG_RUNS) for family in FAMILIES]
    runs = spread_over_cores(LONG_HOURS, jobs)
    faults = sum((run.faults for run in runs), Counter())
    assert sum(run.hours for run in runs) >= 1_000
    assert sum(run.messages for run in runs) >= 2_000_000
    assert faults.total() >= 50_000
    assert all(faults[fault.kind] for fault in ROUGH)
    assert sum(run.compared for run in runs) >= 1_900_000
    assert all(run.quiet_away_s == 0.0 for run in runs), "LIVE all the time once nothing goes wrong any more"
    recoveries = sorted(away for run in runs for away in run.recoveries)
    print(f"{sum(run.hours for run in runs):.0f} h, {sum(run.messages for run in runs)} messages, {faults.total()} "
          f"faults, {len(recoveries)} recoveries, median {recoveries[len(recoveries) // 2]:.1f} s")
