"""`wirebook record` under load, killed twice on the way: is what is on the disk what was live?

    make record-run MINUTES=10              # or: python -m tests.record_run --minutes 10 [--rate 100000] [--out DIR]

A loop of frames is taken from the simulated venue first, then sent over a socket at `rate` messages a second to
`wirebook record`, a process of its own, which is killed with SIGKILL after a third of the time and again after two. It
notes the digests of all books about a hundred times, at the end of a read batch, with the number of frames so far; and
at last, when it has ended in order. `wirebook check` has to pass then, and a replay has to come to the same digests at
every note but those after the last chunk of a run that was killed. What is lost has to be what was counted.
Status 1: anything else. Figures are printed, the disk space that was needed among them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from feeds import connect
from feeds.figures import book_sha256
from feeds.pipeline import Pipeline
from feeds.recording import acts, form
from feeds.recording.play import Block
from feeds.recording.reader import Recording, Session
from feeds.rerun import Rerun
from feeds.simulator.exchange import Exchange
from feeds.simulator.hall import Hall
from feeds.venues import load
from feeds.venues.dialects import speech
from orderbook import BookState
from tests.loopback import TEXT, Peer, Venue, frame

VENUE = "okx"
SYMBOLS = [f"{coin}-USDT" for coin in ("BTC", "ETH", "SOL", "XRP", "ADA", "DOT", "LTC", "UNI")]
NOTES = 100
BURST_S = 0.01              # between two bursts of frames
LATE_S = 2.5                # a chunk is at most a second old, and a busy machine is slower
ROOT = Path(__file__).resolve().parents[1]


# ---- the frames


async def make_loop(folder: Path, seconds: float) -> list[bytes]:
    """Frames of books and trades of the simulated venue; each book begins with a snapshot."""
    exchange = Exchange(Hall(load(VENUE), speech(VENUE), SYMBOLS, seed=1, rate=200.0), speed=20.0)
    url = await exchange.start()
    running = asyncio.create_task(exchange.run())
    feed = connect(VENUE, SYMBOLS, ("book", "trades"), url=url, record=folder)
    async with feed:
        await feed.wait_live(60)
        await asyncio.sleep(seconds)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    frames = [record.payload for record in Recording(folder).records() if record.kind == form.TEXT]
    return [payload for payload in frames if b'"data":[' in payload]


class LoopVenue(Venue):
    """Sends a loop of frames to whoever has subscribed."""

    def __init__(self, payloads: list[bytes], rate: float) -> None:
        super().__init__()
        self.frames = [frame(TEXT, payload) for payload in payloads]
        self.rate = rate
        self.sent = 0
        self.paused = False
        self.answer = self.acknowledge_all
        self.on_open = self.begin
        self._sending: set[asyncio.Task[None]] = set()

    def acknowledge_all(self, peer: Peer, text: str) -> None:
        if text == "ping":
            peer.send(b"pong")
            return
        said = json.loads(text)
        peer.send(*({"event": "subscribe", "arg": arg, "connId": "1"} for arg in said["args"]))

    def begin(self, peer: Peer) -> None:
        task = asyncio.create_task(self.send_loop(peer))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def send_loop(self, peer: Peer) -> None:
        """The loop over and over, in bursts; a client that does not keep up gets fewer."""
        began, at, count = time.monotonic(), 0, 0
        with contextlib.suppress(ConnectionError):
            while not peer.ended:
                due = int((time.monotonic() - began) * self.rate) - count
                while due > 0 and not self.paused:
                    part = self.frames[at:at + min(due, 5000)]
                    peer.raw(b"".join(part))
                    at = (at + len(part)) % len(self.frames)
                    due -= len(part)
                    count += len(part)
                    self.sent += len(part)
                    await peer.writer.drain()
                await asyncio.sleep(BURST_S)


# ---- the process that records


def record(url: str, out: str, notes: str, pause_s: float) -> int:
    """Be `wirebook record`, and note digests beside."""
    from feeds.commands import record as command

    show = command._show
    held = []

    def note(recorder: Any, what: str) -> None:
        feed = recorder.feed
        told = {"what": what, "frames": feed.pipeline.counters["frames"], "lost": recorder.stats()["lost"],
                "time_ns": time.time_ns(), "used": time.process_time(), "digests": digests(feed.pipeline)}
        with open(notes, "a") as file:
            file.write(json.dumps(told) + "\n")

    async def take_notes(recorder: Any) -> None:
        while True:
            await asyncio.sleep(pause_s)
            note(recorder, "note")

    async def noted(recorder: Any, seconds: float | None) -> None:
        held.append(recorder)
        note(recorder, "begin")
        task = asyncio.create_task(take_notes(recorder))
        try:
            await show(recorder, seconds)
        finally:
            task.cancel()

    command._show = noted
    code = command.run(VENUE, SYMBOLS, ["book", "trades"], out, seconds=None, sizes={}, url=url)
    note(held[0], "end")
    return code


def digests(pipeline: Pipeline) -> dict[str, list[Any]]:
    """Of every book: its state, number and digest."""
    return {symbol: [book.status.name, book.sequence, book_sha256(book)] for symbol, book in pipeline.books.items()}


def start(url: str, out: Path, notes: Path, pause_s: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.record_run", "--record", url, "--out", str(out), "--notes", str(notes),
         "--pause", str(pause_s)], stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)})


# ---- what came of it


class Mismatch(AssertionError):
    """What is on the disk is not what was live."""


def demand(condition: object, text: str) -> None:
    if not condition:
        raise Mismatch(text)


def compare(session: Session, notes: list[dict[str, Any]], ended: bool) -> dict[str, int]:
    """Replay a run and hold it against its notes. Raises: Mismatch."""
    pipeline = acts.pipeline_of(session.about)
    left = [note for note in notes if note["frames"] and note["what"] != "end"]
    lost = done = equal = stale = 0
    last_ns = session.about.began_ns

    def look() -> None:
        nonlocal equal, stale
        while left and left[0]["frames"] == done:
            note = left.pop(0)
            demand(note["lost"] >= lost, f"{lost} records are lost on the disk, {note['lost']} were counted")
            found = digests(pipeline)
            demand(found.keys() == note["digests"].keys(), f"books {sorted(found)}, not {sorted(note['digests'])}")
            for symbol, (status, number, digest) in note["digests"].items():
                if lost and found[symbol][0] == BookState.STALE.name != status:
                    stale += 1                  # it cannot be proved until its next snapshot
                    continue
                demand(found[symbol] == [status, number, digest],
                       f"{symbol} after {done} frames: {found[symbol]}, live it was {[status, number, digest]}")
                equal += 1

    for segment in session.segments:
        for chunk, data in segment.blocks():
            block = Block(data)
            last_ns = max(last_ns, chunk.last_ns)
            while True:
                done += block.feed(pipeline, most=left[0]["frames"] - done if left else 1 << 62)
                look()
                if left and left[0]["frames"] < done:       # in the middle of what was lost
                    stale += len(left.pop(0)["digests"])
                    continue
                if block.next_ns is not None and left and done == left[0]["frames"]:
                    continue
                record = block.next()
                if record is None:
                    break
                if record.kind in (form.TEXT, form.BINARY):
                    pipeline.feed(record.payload, record.time_ns, record.line)
                    done += 1
                    look()
                else:
                    if record.kind == form.LOSS:
                        lost += record.loss().records
                        done += record.loss().records - record.loss().calls
                    acts.act(pipeline, record)
                    look()
    for note in left:
        demand(not ended, f"the run ended in order, and {note['frames'] - done} frames are not there")
        demand(note["time_ns"] <= last_ns + LATE_S * 1e9,
               f"a kill cost {(note['time_ns'] - last_ns) / 1e9:.1f} s: the records end at {form.time_text(last_ns)}")
    if ended:
        demand(done == notes[-1]["frames"], f"{done} frames, live it were {notes[-1]['frames']}")
        demand(lost or digests(pipeline) == notes[-1]["digests"], f"at the end {digests(pipeline)}, live {notes[-1]}")
        equal += len(notes[-1]["digests"])
        demand(lost == notes[-1]["lost"], f"{lost} records are lost on the disk, {notes[-1]['lost']} were counted")
    return {"frames": done - lost, "lost": lost, "equal": equal, "stale": stale, "after": len(left)}


async def run(minutes: float, rate: float, out: Path) -> dict[str, Any]:
    """Record three times, and compare. Raises: Mismatch."""
    with tempfile.TemporaryDirectory(prefix="wirebook-") as name:
        payloads = await make_loop(Path(name), min(4.0, 1 + minutes * 5))
    print(f"a loop of {len(payloads):,} frames, {sum(map(len, payloads)) / len(payloads):.0f} bytes each on average",
          flush=True)
    notes = out / "notes.jsonl"
    recording = out / "recording"
    began = time.monotonic()
    codes = []
    async with LoopVenue(payloads, rate) as venue:
        for number in range(3):
            process = start(venue.url, recording, notes, 60 * minutes / NOTES)
            while not (out / "notes.jsonl").exists() or len(begins(notes)) <= number:
                demand(process.poll() is None, "the recorder has ended by itself")
                await asyncio.sleep(0.05)
            await asyncio.sleep(60 * minutes / 3)
            process.send_signal(signal.SIGKILL if number < 2 else signal.SIGTERM)
            told, _ = await asyncio.to_thread(process.communicate)
            codes.append(process.returncode)
            print(f"run {number + 1}: ended with {codes[-1]}; {told.strip()}", flush=True)
        sent = venue.sent
    seconds = time.monotonic() - began
    checked = subprocess.run([sys.executable, "-m", "feeds.cli", "check", str(recording), "--json"], cwd=ROOT,
                             env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    demand(checked.returncode == 0, f"check: {checked.stdout} {checked.stderr}")
    report = json.loads(checked.stdout)
    demand(codes[:2] == [-signal.SIGKILL] * 2, f"the runs ended with {codes}")
    runs = by_run(notes)
    sessions = Recording(recording).sessions()
    demand(len(sessions) == len(runs) == 3, f"{len(sessions)} sessions of {len(runs)} runs")
    results = [compare(session, noted, number == 2) for number, (session, noted) in
               enumerate(zip(sessions, runs, strict=True))]
    demand(codes[2] == (1 if results[2]["lost"] else 0), f"the last run ended with {codes[2]}")
    again = Rerun(recording).run()
    final = runs[-1][-1]
    found = {symbol: values[2] for symbol, values in digests(again.pipeline).items()}
    if not results[2]["lost"]:
        demand(found == {symbol: values[2] for symbol, values in final["digests"].items()}, "feeds.replay differs")
    size = sum(file.stat().st_size for file in recording.glob("*/*.wbr"))
    counted = sum(noted[-1]["frames"] for noted in runs)
    spent = sum((noted[-1]["time_ns"] - noted[0]["time_ns"]) / 1e9 for noted in runs)
    return {"minutes": round(seconds / 60, 2), "sent": sent, "frames": counted,
            "frames_a_second": round(sum(noted[-1]["frames"] - noted[0]["frames"] for noted in runs) / spent),
            "records": report["records"], "lost": report["lost"], "mended": report["mended"],
            "notes": sum(map(len, runs)), "digests_equal": sum(result["equal"] for result in results),
            "digests_unproved": sum(result["stale"] for result in results),
            "notes_after_the_last_chunk": sum(result["after"] for result in results),
            "cpu_of_the_recorder": round(sum(noted[-1]["used"] for noted in runs) / spent, 3),
            "disk_bytes": size, "disk_bytes_a_frame": round(size / counted, 1),
            "replay_frames_a_second": round(again.messages / again.seconds) if again.seconds else 0}


def begins(notes: Path) -> list[int]:
    """Places of the lines with which the runs begin."""
    return [at for at, line in enumerate(notes.read_text().splitlines()) if '"what": "begin"' in line]


def by_run(notes: Path) -> list[list[dict[str, Any]]]:
    """The notes of every run; a line that was cut off by a kill is none."""
    runs: list[list[dict[str, Any]]] = []
    for line in notes.read_text().splitlines():
        try:
            note = json.loads(line)
        except ValueError:
            continue
        if note["what"] == "begin":
            runs.append([])
        runs[-1].append(note)
    return runs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=100_000.0)
    parser.add_argument("--out", type=Path, help="where the files go, and stay; without it a temporary directory")
    parser.add_argument("--record", help=argparse.SUPPRESS)
    parser.add_argument("--notes", help=argparse.SUPPRESS)
    parser.add_argument("--pause", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.record:
        return record(options.record, str(options.out), options.notes, options.pause)
    out = options.out or Path(tempfile.mkdtemp(prefix="wirebook-record-"))
    out.mkdir(parents=True, exist_ok=True)
    try:
        print(json.dumps(asyncio.run(run(options.minutes, options.rate, out)), indent=2))
    except Mismatch as error:
        print(f"NOT EQUAL: {error}")
        return 1
    finally:
        if options.out is None:
            shutil.rmtree(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
