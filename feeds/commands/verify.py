"""`wirebook verify`: live books against fresh snapshots by REST."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from time import monotonic
from typing import Any

from feeds import connect
from feeds.audit import Audit, Drift, Verdict, why_not
from feeds.commands.common import FAILED, complain, warnings_kept
from feeds.venues import load

CONNECT_S = 10.0
UNKNOWN = 3                     # exit status: nothing was compared


def run(venue: str, symbols: list[str], *, url: str | None, rest_url: str | None, market: str | None,
        seconds: float | None, as_json: bool, proxy: str | None = None) -> int:
    """Verify books once, or again and again for some seconds. Returns: the exit status."""
    spec = load(venue)
    spec.check_market(market)
    if reason := why_not(spec):
        seen = [f"{proof.channel}: {proof.detects}" for proof in spec.evidence if proof.channel.startswith("book")]
        complain(f"{venue}: cannot be verified: {reason}. What its stream shows by itself: {'; '.join(seen)}")
        return UNKNOWN
    return asyncio.run(_verify(venue, symbols, url, rest_url, market, seconds, as_json, proxy))


async def _verify(venue: str, symbols: list[str], url: str | None, rest_url: str | None, market: str | None,
                  seconds: float | None, as_json: bool, proxy: str | None) -> int:
    verdicts: list[Verdict] = []
    with warnings_kept(False):
        feed = connect(venue, symbols, ("book",), url=url, rest_url=rest_url, market=market, proxy=proxy)
        feed.timing = replace(feed.timing, first=CONNECT_S)
        async with feed:
            audit = Audit(feed)
            ends = monotonic() + (seconds or 0.0)
            await feed.wait_live(max(seconds or 0.0, CONNECT_S))
            while True:
                for symbol in feed.symbols:
                    verdict = await audit.check(symbol)
                    verdicts.append(verdict)
                    if not as_json:
                        _print(verdict)
                if monotonic() + audit.pause_s >= ends:
                    break
                await asyncio.sleep(audit.pause_s)
    if as_json:
        print(json.dumps({"venue": venue, "market": feed.market, "results": dict(audit.results),
                          "verdicts": [as_object(verdict) for verdict in verdicts]}, indent=2))
    elif len(verdicts) > len(feed.symbols):
        print(", ".join(f"{count} {result}" for result, count in sorted(audit.results.items())))
    if audit.results["drift"]:
        return FAILED
    return 0 if audit.results["equal"] else UNKNOWN


def as_object(verdict: Verdict) -> dict[str, Any]:
    """A verdict for JSON; numbers of levels as exact texts."""
    return {"symbol": verdict.symbol, "result": verdict.result, "reason": verdict.reason, "sequence": verdict.sequence,
            "exact": verdict.exact, "bids_compared": verdict.levels[0], "asks_compared": verdict.levels[1],
            "drift": [{"side": one.side, **dict(zip(("price", "book", "snapshot"), _texts(one), strict=True))}
                      for one in verdict.drift]}


def _texts(one: Drift) -> list[str]:
    return [f"{value.normalize():f}" for value in (one.price, one.book, one.snapshot)]


def _print(verdict: Verdict) -> None:
    print(replace(verdict, reason="") if verdict.drift else verdict)
    for one in verdict.drift:
        print(f"  {one}")
    sys.stdout.flush()

