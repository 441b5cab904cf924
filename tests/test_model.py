"""The oracle itself, against the figures that came with the captures."""

from __future__ import annotations

import json

import pytest

from tests.model import ModelBook, plain, read_capture

# Small captures of both sequence rules.
CAPTURES = ["binance_spot/multi_20211012.ws.gz", "binance_usdm/multi_20210722.ws.gz"]


@pytest.mark.parametrize("name", CAPTURES)
def test_the_model_gives_the_reference_figures(name: str, data_dir, reference) -> None:
    books: dict[str, ModelBook] = {}
    waiting: dict[str, list[dict]] = {}
    for line in read_capture(data_dir / name):
        if line.kind == "h":
            url, body = line.payload.split(b" ", 1)
            symbol = url.decode().split("symbol=")[1].split("&")[0].upper()
            snapshot = json.loads(body)
            book = books[symbol] = ModelBook()
            book.apply_snapshot(snapshot["bids"], snapshot["asks"], snapshot["lastUpdateId"])
            deltas = waiting.pop(symbol, [])
        elif line.kind == "<":
            message = json.loads(line.payload)
            message = message.get("data", message)
            if message.get("e") != "depthUpdate":
                continue
            symbol, deltas = message["s"], [message]
        else:
            continue
        for delta in deltas:
            if symbol not in books:
                waiting.setdefault(symbol, []).append(delta)
            elif delta["u"] > books[symbol].sequence or ("pu" in delta and delta["u"] == books[symbol].sequence):
                books[symbol].apply_delta(delta["b"], delta["a"], delta["u"])
    figures = reference[name]["symbols"]
    assert books.keys() == figures.keys()
    for symbol, book in books.items():
        want = figures[symbol]
        for key in ("snapshots", "updates", "changes", "absent", "crossed", "bbo_sha256", "book_sha256"):
            assert getattr(book, key) == want[key], f"{symbol} {key}"
        assert [plain(value) for value in book.best_bid] == want["best_bid"]
        assert [plain(value) for value in book.best_ask] == want["best_ask"]
        assert [len(book.bids), len(book.asks)] == [want["bid_levels"], want["ask_levels"]]


def test_an_empty_side_has_no_best_price() -> None:
    book = ModelBook()
    book.apply_snapshot([("0.10", "2.50")], [])
    assert [plain(value) for value in book.best_bid] == ["0.1", "2.5"]
    assert book.best_ask is None
    book.apply_delta([("0.1", "0"), ("0.2", "0")], [])
    assert book.best_bid is None
    assert book.absent == 1
