"""What the benchmarks feed: recorded frames of one capture, by kind, made before any clock runs."""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from feeds import Pipeline

ROOT = Path(__file__).resolve().parent.parent
CAPTURE = "binance_usdm/btcusdt_20240808.ws.gz"
KINDS = {"depthUpdate": "depth", "trade": "trade", "aggTrade": "trade", "bookTicker": "ticker"}


def data_dir() -> Path:
    """The folder of recorded captures: WIREBOOK_DATA, or shared/data beside the project."""
    return Path(os.environ.get("WIREBOOK_DATA") or ROOT.parent / "shared" / "data")


def have_data() -> bool:
    return (data_dir() / CAPTURE).is_file()


@dataclass
class Workload:
    """One capture in memory: the snapshots it starts from, and the frames that follow."""

    venue: str
    snapshots: list[tuple[str, bytes, int]] = field(default_factory=list)   # url, body, receive_ns
    frames: list[bytes] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)      # of each frame: depth, trade, ticker
    levels: int = 0                                     # level changes in all depth frames together

    def of_kind(self, kind: str) -> list[bytes]:
        """Fresh copies of the frames of one kind, so that they lie side by side in memory."""
        return [bytes(bytearray(frame)) for frame, own in zip(self.frames, self.kinds, strict=True) if own == kind]

    def pipeline(self, **options) -> Pipeline:
        """A pipeline whose books have their snapshots and wait for the first frame."""
        pipeline = Pipeline(self.venue, **options)
        self.restart(pipeline)
        return pipeline

    def restart(self, pipeline: Pipeline) -> None:
        """Start the same traffic over: a new connection, and the snapshots again."""
        pipeline.opened()
        for url, body, receive_ns in self.snapshots:
            pipeline.rest(url, body, receive_ns)


@cache
def load(name: str = CAPTURE) -> Workload:
    """Read a capture of one of the Binance venues. Depth frames older than their snapshot are left out."""
    work = Workload(name.split("/")[0])
    lines = []
    with gzip.open(data_dir() / name, "rb") as file:
        for line in file:
            receive_ns, kind, payload = line.rstrip(b"\n").split(b"\t", 2)
            if kind == b"h" and b"/depth?" in payload:
                url, body = payload.split(b" ", 1)
                work.snapshots.append((url.decode(), body, int(receive_ns)))
            elif kind == b"<":
                lines.append(payload)
    start = {url.split("symbol=")[1].split("&")[0].upper(): json.loads(body)["lastUpdateId"]
             for url, body, _ in work.snapshots}
    for payload in lines:
        message = json.loads(payload)
        data = message.get("data", message)
        # A spot bookTicker is the one message without "e".
        kind = KINDS.get(data.get("e", "bookTicker" if "u" in data else ""))
        if kind is None or (kind == "depth" and data["u"] < start[data["s"]]):
            continue
        if kind == "depth":
            work.levels += len(data["b"]) + len(data["a"])
        work.frames.append(payload)
        work.kinds.append(kind)
    return work
