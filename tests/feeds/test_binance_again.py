"""Against a shared misunderstanding: what a parser keeps of Binance's recorded frames, the simulator writes again.

Every frame of the captures, every REST snapshot in them and every sample message comes back equal as JSON values, in
one of the simulator's forms, but for what `LOST` says.
"""

from __future__ import annotations

import json
import re
from importlib import import_module

import pytest

from feeds.capture import CaptureReader
from feeds.venues import load
from feeds.venues.dialects import DIALECTS, LOST, levels_text
from tests import _decode
from tests.dialects import differences, values_of

MS = 1_000_000
ROWS = {venue: import_module(f"tests.venues.{venue}").ROW for venue in DIALECTS}
CAPTURES = [(venue, capture) for venue, row in ROWS.items() for capture in row.captures]
WORDS = {"delta": "book", "snapshot": "book"}


def fields_of(event):
    """The fields of the simulator's shapes, from what a parser has kept."""
    text, number = event.text, event.number
    fields = {"E": number("event_time") // MS, "T": number("time") // MS, "s": event.symbol,
              "ps": event.symbol.partition("_")[0], "U": number("first_seq"), "u": number("last_seq"),
              "pu": number("prev_seq"), "p": text("price"), "q": text("qty"), "t": number("trade_id"),
              "m": "true" if number("aggressor") < 0 else "false", "S": "BUY" if number("aggressor") > 0 else "SELL"}
    for key, side in (("b", 1), ("a", -1)):
        fields[key] = levels_text((level.price, level.qty) for level in event.side(side))
    if event.kind in ("quote", "ticker"):
        fields |= {"b": text("bid_price"), "B": text("bid_qty"), "a": text("ask_price"), "A": text("ask_qty")}
    if event.kind == "mark":
        fields |= {"p": text("mark"), "i": text("index"), "P": text("settlement"), "r": text("funding"),
                   "T": number("next_funding") // MS}
    if event.kind == "ticker":
        fields |= {"p": text("change"), "P": text("change_pct"), "w": text("vwap"), "c": text("last"),
                   "Q": text("last_qty"), "o": text("open"), "h": text("high"), "l": text("low"), "v": text("volume"),
                   "q": text("quote_volume"), "O": number("open_time") // MS, "C": number("close_time") // MS,
                   "F": number("first_id"), "L": number("last_id"), "n": number("count")}
    return fields


def shape_of(shapes, event, name):
    """The text that the simulator makes such a message of."""
    if event.kind == "trade":
        return shapes.agg_trade if name == "aggTrade" else shapes.trade
    return {"delta": shapes.depth, "snapshot": shapes.partial, "quote": shapes.quote, "ticker": shapes.ticker,
            "mark": shapes.mark, "liquidation": shapes.liquidation}[event.kind]


class Again:
    """Writes frames of one venue again; `written` counts them by what they are.

    Parameters: venues -- whose forms they may have.
    """

    def __init__(self, venue, *venues):
        self.spec = load(venue)
        self.parser = self.spec.parser("")
        self.shapes = [shapes for name in (venue, *venues) for shapes in DIALECTS[name].shapes.values()]
        self.written = {}

    def check(self, frame):
        events = _decode.decode(self.parser, frame, self.spec.markets)
        events = [event for event in events if event.kind not in ("control", "ignored")]
        if not events:
            return
        if len(events) == 1 and self._is_there(events[0], frame):
            return
        told = values_of(frame)
        if isinstance(told, dict) and "data" in told:       # the server puts the stream's name before what is said
            assert told.keys() == {"stream", "data"}
            told = told["data"]
        for event, data in zip(events, told if isinstance(told, list) else [told], strict=True):
            word = WORDS.get(event.kind, event.kind)
            found = [{"no form"}]
            for shapes in self.shapes:
                shape = shape_of(shapes, event, data.get("e"))
                if shape:
                    made = values_of((shape % fields_of(event)).encode())
                    found.append({f"{word} {path}" for path in differences(data, made)} - LOST.keys())
            best = min(found, key=len)
            assert not best, f"{sorted(best)} of {frame[:500]!r}"
            self.written[word] = self.written.get(word, 0) + 1

    def _is_there(self, event, frame):
        """Whether the frame is, byte for byte, what the form that fitted last makes of the event."""
        shape = shape_of(self.shapes[0], event, "aggTrade" if b"aggTrade" in frame else "")
        wrapped = re.fullmatch(rb'\{"stream":"[^"]+","data":(.+)\}', frame)
        if not shape or (wrapped[1] if wrapped else frame) != (shape % fields_of(event)).encode():
            self.shapes = [*self.shapes[1:], self.shapes[0]]
            return False
        word = WORDS.get(event.kind, event.kind)
        self.written[word] = self.written.get(word, 0) + 1
        return True


@pytest.mark.parametrize("venue, capture", CAPTURES, ids=[capture for _, capture in CAPTURES])
def test_recorded_frames_come_back(venue, capture, data_dir):
    again = Again(venue)
    for record in CaptureReader(data_dir / f"{capture}.ws.gz"):
        if record.kind in "<B":
            again.check(record.payload)
    assert again.written.keys() == {"book", "quote", "trade"}


@pytest.mark.parametrize("venue, capture", CAPTURES, ids=[capture for _, capture in CAPTURES])
def test_recorded_snapshots_come_back(venue, capture, data_dir):
    """REST answers: the keys that a venue's snapshot has, and its levels as they were written."""
    shape, written = DIALECTS[venue].shapes["2026"].snapshot, 0
    for record in CaptureReader(data_dir / f"{capture}.ws.gz"):
        if record.kind != "h" or b"/depth?" not in record.payload:
            continue
        told = json.loads(record.payload.partition(b" ")[2])
        fields = {"u": told["lastUpdateId"], "E": told.get("E", 0), "T": told.get("T", 0), "s": told.get("symbol"),
                  "ps": told.get("pair"), "b": levels_text(told["bids"]), "a": levels_text(told["asks"])}
        assert json.loads(shape % fields) == told
        written += 1
    assert written


@pytest.mark.parametrize("venue", DIALECTS)
def test_sample_messages_come_back(venue, data_dir):
    again = Again(venue, *DIALECTS)             # some samples are of another of Binance's markets
    skipped = (*ROWS[venue].unread, *ROWS[venue].not_again)
    for text in (data_dir / venue / "messages.jsonl").read_text().splitlines():
        sample = json.loads(text)["raw"]
        if not any(sample.startswith(beginning) for beginning in skipped):
            again.check(sample.encode())
    assert sum(again.written.values()) > 5
