"""Replays of many days and venues at once: a list of jobs, run here, in processes, or on a Dask cluster.

    jobs = plan_jobs(["session/"], split=True)              # one for each day and venue
    outcome = run_jobs(jobs, workers=4)                     # or cluster="tcp://scheduler:8786"

A job is plain data and `run_job` a plain function, so every executor of the kind of concurrent.futures runs the same
list and gives the same documents, in the order of the list. Workers elsewhere need the same files at the same paths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from os import PathLike, fspath, path
from pathlib import Path
from time import monotonic
from typing import Any

from feeds.capture import CaptureError
from feeds.extras import need
from feeds.figures import venue_of
from feeds.recording import form
from feeds.recording.play import hush
from feeds.recording.reader import Recording, RecordingError
from feeds.rerun import FOREVER, RangeError, Rerun, is_recorded, moment_text

DAY_NS = 86_400 * 10 ** 9
LOOK_S = 1.0            # between two looks at a cluster from which nothing comes
NO_WORKER_S = 15.0      # that a cluster may be without any worker


class JobError(RuntimeError):
    """A job has failed; the text says why. It crosses processes and machines as it is."""


@dataclass(frozen=True)
class Job:
    """One replay: what, and which part of it."""

    files: tuple[str, ...]
    venue: str
    market: str | None = None
    wire: str | None = None
    start_ns: int | None = None
    end_ns: int | None = None
    symbols: tuple[str, ...] | None = None
    digests: bool = True        # also the digests of every book
    size: int = 0               # bytes to be read, about

    def __str__(self) -> str:
        part = "" if self.start_ns is None else f" from {moment_text(self.start_ns)[:19]}"
        return f"{self.venue}{f' {self.market}' if self.market else ''}{part} ({', '.join(self.files)})"


@dataclass
class Outcome:
    """What became of a list of jobs."""

    documents: list[dict[str, Any] | None] = field(default_factory=list)    # by job; None of those that failed
    failures: list[tuple[Job, str]] = field(default_factory=list)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A row for each job and symbol: venue, market, start, symbol and its figures; none is measured by a clock."""
        return [{"venue": document["venue"], "market": document["market"], "start": document["start"],
                 "symbol": symbol, **figures}
                for document in self.documents if document is not None
                for symbol, figures in document["symbols"].items()]


def plan_jobs(files: Sequence[str | PathLike[str]], *, venue: str | None = None, market: str | None = None,
              wire: str | None = None, start_ns: int | None = None, end_ns: int | None = None,
              symbols: Sequence[str] | None = None, digests: bool = True, split: bool = False) -> list[Job]:
    """The jobs that replay these recordings or captures: one for each venue and market, with `split` for each day.

    Captures are one stream for each venue: they are not split.
    Raises: RecordingError, CaptureError, VenueUnclear; RangeError if a range is asked for in which nothing is.
    """
    rest: dict[str, Any] = {"wire": wire, "symbols": None if symbols is None else tuple(symbols), "digests": digests}
    names = [fspath(file) for file in files]
    if not is_recorded(names):
        streams: dict[str, list[str]] = {}
        for name in names:
            streams.setdefault(venue or venue_of([name]), []).append(name)
        return [Job(tuple(stream), of, market, start_ns=start_ns, end_ns=end_ns, size=sum(map(size_of, stream)), **rest)
                for of, stream in streams.items()]
    recordings = [Recording(name, venue=venue, market=market) for name in names]
    jobs = []
    for of in dict.fromkeys(source for recording in recordings for source in recording.sources):
        mine = tuple(name for name, recording in zip(names, recordings, strict=True) if of in recording.sources)
        chunks = [chunk for recording in recordings for segment in recording.segments
                  if (segment.about.venue, segment.about.market) == of for chunk in segment.chunks
                  if chunk.kind == form.RECORDS]
        if not split:
            jobs.append(Job(mine, of[0], of[1], start_ns=start_ns, end_ns=end_ns,
                            size=sum(chunk.size for chunk in chunks), **rest))
            continue
        first, last = 0 if start_ns is None else start_ns, FOREVER if end_ns is None else end_ns
        sizes: dict[int, int] = {}          # by day
        for chunk in chunks:
            for day in range(max(chunk.first_ns, first) // DAY_NS, min(chunk.last_ns, last - 1) // DAY_NS + 1):
                sizes[day] = sizes.get(day, 0) + chunk.size
        jobs += [Job(mine, of[0], of[1], start_ns=max(day * DAY_NS, first), end_ns=min((day + 1) * DAY_NS, last),
                     size=size, **rest) for day, size in sorted(sizes.items())]
    if not jobs:
        spans = [segment for recording in recordings for segment in recording.segments if segment.records]
        raise RangeError(f"{', '.join(names)}: nothing in the time that was asked for; there are records from "
                         f"{moment_text(min(segment.first_ns for segment in spans))} to "
                         f"{moment_text(max(segment.last_ns for segment in spans))}" if spans else
                         f"{', '.join(names)}: no records at all")
    return jobs


def size_of(file: str) -> int:
    """Bytes of a file that may not be there."""
    return path.getsize(file) if Path(file).is_file() else 0


def run_job(job: Job, on_progress: Callable[[float], object] | None = None) -> dict[str, Any]:
    """Do a job: the document of its `Rerun`, and `failures`, the texts of what could not be read.

    Parameters: on_progress -- told the share of the job that is done, now and then.
    Raises: JobError for everything else.
    """
    try:
        rerun = Rerun(job.files, start=job.start_ns, end=job.end_ns, symbols=job.symbols, venue=job.venue,
                      market=job.market, wire=job.wire, digests=job.digests)
        hush(rerun.pipeline)            # the figures tell; many at once would only flood the log
        failures = []
        try:
            rerun.run(on_progress)
        except (CaptureError, RecordingError):
            failures = [str(failure) for failure in rerun.failures]
            if not failures or not rerun.lines:
                raise
        return rerun.document() | {"failures": failures}
    except (ValueError, OSError, ImportError) as error:
        raise JobError(str(error) or type(error).__name__) from None
    except Exception as error:      # not every exception can be sent to another process
        raise JobError(f"{type(error).__name__}: {error}") from None


def run_jobs(jobs: Sequence[Job], *, workers: int = 1, cluster: str | None = None,
             on_progress: Callable[[int], object] = lambda size: None) -> Outcome:
    """Do all jobs, whatever becomes of one of them.

    Parameters: workers -- processes of this machine; 1 does the jobs here, one after the other. cluster -- address of
    a Dask scheduler, whose workers do them instead. on_progress -- told the bytes of the jobs that are done.
    Raises: MissingExtra without Dask, OSError if the cluster cannot be reached.
    """
    done: dict[int, dict[str, Any]] = {}
    failed: dict[int, str] = {}
    if cluster is None and workers == 1:
        for place, job in enumerate(jobs):
            told = 0

            def tell(share: float, size: int = job.size) -> None:
                nonlocal told
                on_progress(int(size * share) - told)
                told = int(size * share)

            try:
                done[place] = run_job(job, tell)
            except JobError as error:
                failed[place] = str(error)
            on_progress(job.size - told)
    else:
        for place in _gather(jobs, range(len(jobs)), workers, cluster, done, failed, on_progress):
            # One of those that were at work has ended its process: each by itself tells which.
            if _gather(jobs, [place], 1, cluster, done, failed, on_progress):
                failed[place] = "its process has ended abruptly"
                on_progress(jobs[place].size)
    return Outcome([done.get(place) for place in range(len(jobs))],
                   [(jobs[place], failed[place]) for place in sorted(failed)])


def _gather(jobs: Sequence[Job], places: Sequence[int], workers: int, cluster: str | None,
            done: dict[int, dict[str, Any]], failed: dict[int, str], on_progress: Callable[[int], object]) -> list[int]:
    """Do the jobs at these places, and sort out what becomes of them. Returns: those whose process has ended."""
    broken = []
    with executor_of(min(workers, len(places)) or 1, cluster) as (executor, death, trouble):
        place_of: dict[Future[dict[str, Any]], int] = {executor.submit(run_job, jobs[place]): place
                                                       for place in places}
        pending = set(place_of)
        while pending:
            ended, pending = wait(pending, LOOK_S, FIRST_COMPLETED)
            for future in ended:
                place = place_of[future]
                try:
                    done[place] = future.result()
                except death:
                    broken.append(place)
                    continue
                except Exception as error:
                    failed[place] = str(error) if isinstance(error, JobError) else f"{type(error).__name__}: {error}"
                on_progress(jobs[place].size)
            if not ended and (text := trouble()):
                failed.update({place_of[future]: text for future in pending})
                for future in pending:
                    future.cancel()
                break
    return sorted(broken)


@contextmanager
def executor_of(workers: int,
                cluster: str | None) -> Iterator[tuple[Executor, type[Exception], Callable[[], str]]]:
    """An executor, what its futures raise where a worker has died, and what tells why nothing can come any more, ""
    while something can."""
    if cluster is None:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            yield pool, BrokenProcessPool, lambda: ""
        return
    distributed = need("distributed", "dask")
    client = distributed.Client(cluster, timeout=NO_WORKER_S, set_as_default=False)
    alone_since: float | None = None

    def trouble() -> str:
        nonlocal alone_since
        if client.status != "running":
            return f"the scheduler at {cluster} is gone"
        alone_since = None if client.nthreads() else alone_since or monotonic()
        if alone_since is not None and monotonic() - alone_since > NO_WORKER_S:
            return f"the cluster at {cluster} has no worker"
        return ""

    try:
        yield client.get_executor(pure=False), distributed.KilledWorker, trouble
    finally:
        client.close()
