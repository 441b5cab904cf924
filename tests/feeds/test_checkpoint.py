"""Checkpoints: what goes on from one ends in the same books as what never stopped, whatever venue and faults."""

from __future__ import annotations

import hashlib
import logging
import random
import re
from pathlib import Path

import pytest

from feeds import checkpoint
from feeds.capture import CaptureReader
from feeds.figures import book_sha256
from feeds.pipeline import Pipeline
from feeds.venues import VENUES, load

ROOT = Path(__file__).resolve().parents[2]

# All of these structs stand in a checkpoint as they are in memory. Where one of them has changed, so has VERSION to.
STRUCTS = {"feeds/track.pxd": ("Held", "Shared", "Track", "PendingHead"), "feeds/lines.pxd": ("Lane", "Group"),
           "feeds/arbiter.pxd": ("Copies", "Arbiter", "Recent", "Ids", "Newest"), "feeds/sync.pxd": ("LineCount",),
           "feeds/path.pxd": ("Counters",), "orderbook/update.pxd": ("TradeData", "QuoteData"),
           "feeds/fields.pxd": ("Note",)}
DIGEST = {2: "a91efc00caddbeee"}


def test_the_version_changes_with_the_structs():
    text = ""
    for file, names in STRUCTS.items():
        source = (ROOT / file).read_text()
        for name in names:
            found = re.search(rf"^cdef struct {name}:.*\n((?:    .*\n|\n)+)", source, re.M)
            assert found, name
            text += re.sub(r"\s*#.*|\s+$", "", found[1], flags=re.M) + "\n"
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == DIGEST[checkpoint.VERSION]


def state_of(pipeline):
    """All that is promised of a pipeline's books."""
    found = {}
    for want in {want.symbol: want for want in pipeline.wanted()}.values():
        found["want", want.symbol] = want
    for symbol in pipeline.symbols():
        book = pipeline.book(symbol)
        raw = book.raw
        found[symbol] = (book_sha256(book), book.status, book.reason, book.sequence, book.exchange_ns, book.receive_ns,
                         book.price_scale, book.qty_scale, book.tick_size, raw.trusted_bid, raw.trusted_ask,
                         pipeline.symbol_stats(symbol), repr(pipeline.last_trade(symbol)),
                         repr(pipeline.last_quote(symbol)))
    counters = pipeline.counters
    del counters["fast"], counters["slow"]          # what is learned is learned again
    return found, counters, pipeline.states(), str(pipeline.last_error)


def step(pipeline, record):
    pipeline.now_ns = record.recv_ns
    if record.kind in "<B":
        pipeline.feed(record.payload, record.recv_ns)
    elif record.kind == "h":
        url, _, body = record.payload.partition(b" ")
        pipeline.rest(url.decode(), body, record.recv_ns)


def spoilt(records, dice):
    """The records with faults: left out, twice, cut, and connections that are opened anew."""
    for record in records:
        chance = dice.random()
        if record.kind not in "<B" or chance > 0.02:
            yield record
        elif chance > 0.015:
            yield record._replace(payload=record.payload[:dice.randrange(len(record.payload) + 1)])
        elif chance > 0.01:
            yield record
            yield record


def captures(data_dir, venue):
    return [path for path in sorted((data_dir / venue).glob("*.ws.gz")) if not path.name.startswith("instruments")]


@pytest.mark.parametrize("faults", [False, True], ids=["clean", "faults"])
@pytest.mark.parametrize("venue", VENUES)
def test_every_venue_goes_on_from_a_checkpoint(data_dir, venue, faults):
    files = captures(data_dir, venue)
    if not files:
        pytest.skip(f"no capture of {venue}")
    logging.disable(logging.CRITICAL)
    try:
        goes_on(files[0], venue, faults)
    finally:
        logging.disable(logging.NOTSET)


def goes_on(file, venue, faults):
    dice = random.Random(f"{venue}{faults}")
    market_of = load(venue).market_of
    market = None
    records = []
    for record in CaptureReader(file):
        if record.kind == "=" and market_of is not None:
            market = market_of(record.payload.decode()) or market
        records.append(record)
        if len(records) == 1000:
            break
    if faults:
        records = list(spoilt(records, dice))
    options = {"on_gap": "resync" if faults else "count", "market": market}
    whole, other = Pipeline(venue, **options), Pipeline(venue, **options)
    points = set(dice.sample(range(len(records)), min(10, len(records))))
    for number, record in enumerate(records):
        if number in points:
            state = checkpoint.take(whole)
            if dice.random() < 0.5:                 # into a new one, or over one that has gone another way
                other = Pipeline(venue, **options)
            checkpoint.restore(other, state)
            assert state_of(other) == state_of(whole)
            assert len(checkpoint.take(other)) == len(state)
        step(whole, record)
        step(other, record)
        if number % 200 == 0 or number in points:
            assert state_of(other) == state_of(whole), f"after record {number}"
    assert state_of(other) == state_of(whole)
    assert whole.symbols()
