"""Binance in SBE: its channels and streams by name; requests and answers are those of JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from feeds.venue import Stream, UnsupportedChannel, check_known

PARTIAL_LEVELS = 20       # of the one stream of partial books; a frame does not tell it
CHANNELS = {
    "book": "order book: diffs of the whole book every 20 ms, or its first 20 levels whole with depth=20",
    "trades": "every trade, in real time",
    "quotes": "best bid and offer, in real time; the venue leaves some out when it is busy",
}

WHO = "binance_spot (sbe)"
NAMES = {"trades": "trade", "quotes": "bestBidAsk"}


def make_streams(spelling: Callable[[str], str]) -> Callable[..., list[Stream]]:
    """The `streams` function; `spelling` gives a symbol as the venue writes it."""

    def streams(symbols: Sequence[str], channels: Sequence[str], depth: int | None, speed: str | None,
                market: str) -> list[Stream]:
        """Streams of `symbols` x `channels`; depth concerns the channel "book" only, and each book has one speed."""
        check_known(WHO, "book of depth", depth, (None, PARTIAL_LEVELS),
                    f"{PARTIAL_LEVELS}, or None for the whole book")
        if speed is not None:
            raise UnsupportedChannel(f"{WHO} has no choice of speeds, so none can be {speed!r}")
        planned = []
        for symbol in map(spelling, symbols):
            for channel in channels:
                is_book = channel == "book"
                suffix = f"depth{depth or ''}" if is_book else NAMES[channel]
                levels = depth or 0 if is_book else 0
                planned.append(Stream(f"{symbol.lower()}@{suffix}", "sbe", symbol, channel, levels))
        return planned

    return streams
