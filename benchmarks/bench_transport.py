"""Over a real loopback socket, saturated: client CPU a message from socket to book, plain and TLS.

    python benchmarks/bench_transport.py [--rounds 5]

The server runs on one core and only sends what was prepared; the client has the other. Beside ours runs what a user
would write: websockets + orjson + SortedDict. CPU is that of the whole client process, its system calls included.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from time import perf_counter_ns, process_time_ns
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import websockets  # noqa: E402

from benchmarks.loopback import block_of, make_certificate  # noqa: E402
from benchmarks.peers import OrjsonPeer  # noqa: E402
from benchmarks.workload import CAPTURE, Workload, data_dir, have_data, load  # noqa: E402
from feeds import Pipeline  # noqa: E402
from feeds.transport import open_line  # noqa: E402

CPU_LIMIT = 350         # ns a message, plain
RATIO_WANTED = 45.0
OURS, THEIRS = "wirebook", "websockets + orjson + SortedDict"


class Spent(NamedTuple):
    cpu: float          # ns a message
    wall: float
    levels: tuple[int, int]


Client = Callable[[Workload, str, ssl.SSLContext | None], Awaitable[Spent]]


async def ours(work: Workload, url: str, context: ssl.SSLContext | None) -> Spent:
    pipeline = Pipeline(work.venue)
    line = await open_line(pipeline, url, ssl_context=context)
    for address, body, receive_ns in work.snapshots:
        pipeline.rest(address, body, receive_ns)
    cpu, wall = process_time_ns(), perf_counter_ns()
    line.send_text("go")
    await line.wait_closed()
    cpu, wall = process_time_ns() - cpu, perf_counter_ns() - wall
    counters = pipeline.counters
    if line.messages != len(work.frames) or counters["errors"] or counters["gaps"]:
        raise SystemExit(f"the line did not carry the capture: {line.messages} messages, {counters}")
    book = pipeline.book("BTCUSDT")
    return Spent(cpu / len(work.frames), wall / len(work.frames), (book.bid_levels, book.ask_levels))


async def theirs(work: Workload, url: str, context: ssl.SSLContext | None) -> Spent:
    peer = OrjsonPeer(work.snapshots[0][1])
    feed = peer.feed
    async with websockets.connect(url, ssl=context, compression=None, max_size=None, proxy=None) as connection:
        cpu, wall = process_time_ns(), perf_counter_ns()
        await connection.send("go")
        async for message in connection:
            feed(message)
        cpu, wall = process_time_ns() - cpu, perf_counter_ns() - wall
    return Spent(cpu / len(work.frames), wall / len(work.frames), peer.levels)


class Server:
    """The sending process on its own core."""

    def __init__(self, core: int, block: Path, *certificate: Path) -> None:
        script = Path(__file__).with_name("loopback.py")
        self.process = subprocess.Popen([sys.executable, str(script), str(block), *map(str, certificate)],
                                        stdout=subprocess.PIPE, text=True)
        os.sched_setaffinity(self.process.pid, {core})
        scheme = "wss" if certificate else "ws"
        self.url = f"{scheme}://localhost:{int(self.process.stdout.readline())}/stream"
        self.context = ssl.create_default_context(cafile=str(certificate[0])) if certificate else None

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


def best_of(client: Client, work: Workload, server: Server, passes: int) -> Spent:
    return min(asyncio.run(client(work, server.url, server.context)) for _ in range(passes))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--passes", type=int, default=3, help="connections a round of ours; the least counts")
    options = parser.parse_args()
    if not have_data():
        print(f"bench_transport: no {CAPTURE} in {data_dir()} (set WIREBOOK_DATA)", file=sys.stderr)
        return 0
    cores = sorted(os.sched_getaffinity(0))
    work = load()
    gc.collect()
    gc.freeze()
    spent: dict[tuple[str, str], list[Spent]] = {}
    with tempfile.TemporaryDirectory(prefix="wirebook-") as folder:
        block = Path(folder) / "block"
        block.write_bytes(block_of(work.frames))
        servers = {"plain": Server(cores[0], block)}
        try:
            servers["TLS"] = Server(cores[0], block, *make_certificate(Path(folder)))
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"note: no certificate, so TLS is left out ({error})")
        os.sched_setaffinity(0, {cores[-1]})
        try:
            for _ in range(options.rounds):
                for kind, server in servers.items():
                    spent.setdefault((OURS, kind), []).append(best_of(ours, work, server, options.passes))
                    spent.setdefault((THEIRS, kind), []).append(best_of(theirs, work, server, 1))
        finally:
            for server in servers.values():
                server.close()
    report(spent, work, options.rounds)
    return 0 if len({one.levels for rows in spent.values() for one in rows}) == 1 else 1


def report(spent: dict[tuple[str, str], list[Spent]], work: Workload, rounds: int) -> None:
    print(f"{CAPTURE} over loopback, {len(work.frames):,} messages, {rounds} rounds\n")
    print(f"{'':44} {'CPU ns/msg min':>14} {'median':>8} {'messages/s':>11}")
    for (name, kind), rows in spent.items():
        cpu, rate = [row.cpu for row in rows], 1e9 / median(row.wall for row in rows)
        print(f"{name + ', ' + kind:44} {min(cpu):14,.0f} {median(cpu):8,.0f} {rate:11,.0f}")
    print()
    for kind in sorted({kind for _, kind in spent}, reverse=True):
        ratio = median(b.cpu / a.cpu for a, b in zip(spent[OURS, kind], spent[THEIRS, kind], strict=True))
        verdict = f"  wanted {RATIO_WANTED}x  {'ok' if ratio >= RATIO_WANTED else 'MISSED'}" if kind == "plain" else ""
        print(f"{kind}: {ratio:.1f}x {THEIRS}{verdict}")
    cpu = median(row.cpu for row in spent[OURS, "plain"])
    print(f"plain: {cpu:.0f} ns of CPU a message, wanted at most {CPU_LIMIT}  {'ok' if cpu <= CPU_LIMIT else 'MISSED'}")
    books = {one.levels for rows in spent.values() for one in rows}
    print("every connection ended with {:,} bids and {:,} asks".format(*books.pop()) if len(books) == 1
          else f"the final books differ: {books}")


if __name__ == "__main__":
    sys.exit(main())
