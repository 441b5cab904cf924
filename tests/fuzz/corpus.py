"""The small corpus that every run begins with: frames and histories made from the tests' rows.

`python -m tests.fuzz.corpus` writes it into tests/fuzz/corpus, a folder a target; what a run finds stays in build/.
"""

from __future__ import annotations

import gzip
import json
import re
from importlib import import_module
from pathlib import Path

from feeds import VENUES
from tests import frames, protobuf, sbe
from tests.venues import Row

FOLDER = Path(__file__).resolve().parent / "corpus"
SEPARATOR = b"\n\x1e"                           # of the steps of a history
LONGEST = 2000                                  # bytes of a frame of the corpus

ROWS: dict[str, Row] = {name: import_module(f"tests.venues.{name}").ROW for name in VENUES}
ROWS["mexc_contract"] = import_module("tests.venues.mexc").CONTRACT
SBE = "binance_sbe"                             # binance_spot in its other wire form

TARGETS = {name: (row.venue, row.market, None) for name, row in ROWS.items()} | {SBE: ("binance_spot", None, "sbe")}

SCAN = ('{"a":"1.5","b":2,"c":7,"d":1e-5,"e":1700000000000,"f":"buy","i":"X","m":"Y"}', '[1,"2",3,4.5]',
        '{"k":{"k":{"a":1}},"l":["1","2"],"h":[["1","2"]],"j":[1,2]}', '{"f":"Sell","g":"BUY","h":[],"l":"1"}',
        '[[[[{"x":[null,true,false]}]]]]', ' { "a" : [ ] , "b" : { } } ', '"\\"\\\\"', "[" * 32 + "]" * 32, "pong",
        '{"e":"2026-08-24T22:34:13.793075885Z","n":"123","b":""}', "-0.5e+10")
NUMBERS = ("1209.67", "0.00000001", "-88.17", "9223372036854775807", "0.123456789012345678", "1e-8", "4.0E7", "5.",
           ".5", "100000000000000000000000000000e-25", "2026-08-24T22:34:13.793075885Z", "2026-08-24 22:34:13+02:00",
           "1700000000000", "1700000000.123456", "1700000000123.456", "3307.9982700421942", "1.7976931348623157e308",
           "4.9e-324", "")


def steps_of(row: Row) -> list[tuple]:
    """What leads to a LIVE book, and on."""
    bids, asks = [("100.5", "1"), ("99.5", "2.25")], [("101.5", "3"), ("102.25", "4")]
    steps = row.snapshot(10, bids, asks)
    if row.delta is not None:
        steps = steps + row.delta(10, 11, [("100.5", "0"), ("98.5", "7")], [("101.5", "2.125")])
        steps = steps + row.delta(11, 12, [("99.5", "5")], []) + row.delta(12, 13, [("99.5", "6")], [])
    return steps


def frames_of(row: Row) -> dict[str, bytes]:
    """Frames of a venue, each of another kind, by a name."""
    found = {}
    for i, step in enumerate(steps_of(row)):
        found[f"book-{i}"] = step[-1]
    for what, most in (("before", 2), ("trades", 3), ("quotes", 2), ("controls", 2)):
        for i, text in enumerate(list(getattr(row, what))[:most]):
            found[f"{what}-{i}"] = text.encode()
    return {name: frame for name, frame in found.items() if len(frame) <= LONGEST}


def history(row: Row) -> bytes:
    """All of a venue's frames as one history."""
    steps = []
    for kind, *rest in steps_of(row):
        steps.append(b"<" + rest[0] if kind == "frame" else b"h%s %s" % (rest[0].encode(), rest[1]))
    for text in (*row.before, *row.trades, *row.quotes):
        steps += [b"<" + text.encode()] * 2
    return SEPARATOR.join([b"=", *steps, b"!"])


def sbe_frames() -> dict[str, bytes]:
    stamp = 1787612486307000
    return {
        "quote": sbe.SAMPLE,
        "trades": sbe.write("trades", "BTCUSDT", (stamp, stamp, -2, -5), [(7, 12096700, 1500, 1), (8, 12096800, 1, 0)]),
        "snapshot": sbe.write("snapshot", "BTCUSDT", (stamp, 10, -2, -5), [(10050, 100000)], [(10150, 300000)]),
        "diff": sbe.write("diff", "BTCUSDT", (stamp, 11, 12, -2, -5), [(10050, 0), (9950, 5)], [(10150, 212500)]),
        "newer": sbe.write("diff", "BTCUSDT", (stamp, 13, 13, -1, -5), [(10050, 1)], [], block_more=b"12",
                           entry_more=b"3", more=b"45", version=1),
        "control": b'{"result":null,"id":1}',
    }


def sbe_history() -> bytes:
    url = "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000"
    body = b'{"lastUpdateId":10,"bids":[["100.50","1"]],"asks":[["101.50","3"]]}'
    found = sbe_frames()
    steps = [found["diff"], found["newer"], found["quote"], found["trades"], found["snapshot"]]
    return SEPARATOR.join([b"=", b"<" + found["diff"], b"h" + url.encode() + b" " + body, *(b"<" + it for it in steps)])


def captures() -> dict[str, bytes]:
    lines = [b"1787612486307000000\t=\twss://example.com/ws", b"1787612486308000000\t<\t" + frames.delta(9, 9, 8),
             b"1787612486309000000\th\thttps://example.com/depth " + frames.snapshot(9),
             b"1787612486309000001\tB\tAAEC", b"1787612486310000000\t!\t"]
    text = b"\n".join(lines) + b"\n"
    return {"lines": text, "gzip": b"z" + text, "cut": text[:-40], "packed": gzip.compress(text, mtime=0)}


def all_of_it() -> dict[str, dict[str, bytes]]:
    """Target -> name -> input."""
    corpus: dict[str, dict[str, bytes]] = {
        "scan": {f"{i}": text.encode() for i, text in enumerate(SCAN)},
        "numbers": {f"{i}": bytes([i % 19]) + text.encode() for i, text in enumerate(NUMBERS)},
        "protobuf": {
            "levels": b"\x02\x03" + b"0" * 16 + protobuf.message(*protobuf.pairs(1, [("1209.67", "0.5")] * 3)),
            "fields": b"\x02\x03" + b"0" * 16 + protobuf.message((1, b"BTC"), (2, b"1.5"), (3, b"12"), (4, 300)),
        },
        "capture": captures(),
        "inflate": {f"{what}": bytes([what | 1 << 3, 0, 9]) + next(iter(frames_of(ROWS["htx"]).values()))
                    for what in range(6)},
    }
    corpus["deflate"] = {"kept": b"\xf0" + SEPARATOR.join((b"a" * 50, b"a" * 60)), "alone": b"\xf1one\n\x1etwo",
                         "damaged": b"\x11one\n\x1e\xff\xff",
                         "answer": b"permessage-deflate; server_no_context_takeover; client_max_window_bits=9"}
    corpus[SBE], corpus[f"{SBE}.path"] = sbe_frames(), {"history": sbe_history()}
    for name, row in ROWS.items():
        corpus[name] = frames_of(row)
        corpus[f"{name}.path"] = {"history": history(row)}
    return corpus


def words_of(inputs: dict[str, bytes]) -> list[bytes]:
    """What is worth putting in somewhere: the strings and numbers of a target's inputs."""
    words = set()
    for data in inputs.values():
        words.update(re.findall(rb'"[^"\\\n]{1,24}":?', data))
        words.update(re.findall(rb"[0-9.]{2,20}", data)[:8])
    return sorted(words)[:200]


def write_words(path: Path, target: str) -> None:
    """A dictionary in libFuzzer's form."""
    words = words_of(all_of_it()[target]) + [b"null", b"true", b"[]", b"{}", b'""', b"1e400", b"-1", SEPARATOR + b"<"]
    path.write_text("".join('"{}"\n'.format("".join(f"\\x{byte:02x}" for byte in word)) for word in words))


def main() -> None:
    total = 0
    for target, inputs in all_of_it().items():
        folder = FOLDER / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in inputs.items():
            (folder / name).write_bytes(data)
            total += len(data)
    print(json.dumps({"targets": len(all_of_it()), "bytes": total}))


if __name__ == "__main__":
    main()
