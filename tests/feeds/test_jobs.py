"""Lists of replays: days and venues, in this process, in others and on a Dask cluster; jobs and workers that fail."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from feeds import jobs
from feeds.cli import app
from feeds.jobs import DAY_NS, Job, JobError, plan_jobs, run_job, run_jobs
from feeds.recording import form
from feeds.recording.form import Record
from feeds.recording.reader import About, Recording
from feeds.rerun import RangeError
from tests.feeds.test_rerun_recordings import ABOUT, MS, day
from tests.recordings import write_recording

MIDNIGHT = 1_700_006_400_000_000_000        # 2023-11-15
OKX = About("okx", "", "json", "", 0, 0, {"on_gap": "resync", "all_symbols": True, "max_symbols": 10})


def okx_day():
    arg = '"arg":{"channel":"books","instId":"BTC-USDT"}'
    texts = [f'{{{arg},"action":"{"update" if number else "snapshot"}","data":[{{"asks":[["101","1","0","1"]],"bids":'
             f'[["99","{number + 1}","0","1"]],"ts":"1700000000000","checksum":0,"seqId":{number + 1},"prevSeqId":'
             f'{number or -1}}}]}}' for number in range(300)]
    return [Record(MIDNIGHT + number * 10 * MS, form.TEXT, 0, text.encode()) for number, text in enumerate(texts)]


@pytest.fixture
def recording(tmp_path):
    """Two venues; one of them over midnight."""
    path = write_recording(tmp_path / "rec", ABOUT, day(300, MIDNIGHT - 1500 * MS), chunk=50, every=4)
    return write_recording(path, OKX, okx_day(), chunk=50, every=2)


def table(outcome):
    assert outcome.failures == []
    return outcome.rows


def test_days_and_venues_are_jobs_and_their_figures_add_up(recording):
    whole, apart = plan_jobs([recording]), plan_jobs([recording], split=True)
    assert [(job.venue, job.start_ns) for job in whole] == [("binance_usdm", None), ("okx", None)]
    assert [(job.venue, job.start_ns) for job in apart] == [
        ("binance_usdm", MIDNIGHT - DAY_NS), ("binance_usdm", MIDNIGHT), ("okx", MIDNIGHT)]
    assert all(job.size > 0 for job in apart)
    rows, parts = table(run_jobs(whole)), table(run_jobs(apart))
    assert [(row["venue"], row["symbol"]) for row in rows] == [
        ("binance_usdm", "BTCUSDT"), ("binance_usdm", "ETHUSDT"), ("okx", "BTC-USDT")]
    assert len(parts) == 5
    for row in rows:
        mine = [part for part in parts if (part["venue"], part["symbol"]) == (row["venue"], row["symbol"])]
        for figure in ("updates", "changes", "snapshots", "gaps", "stale"):
            assert sum(part[figure] for part in mine) == row[figure]
        assert mine[-1]["book_sha256"] == row["book_sha256"]
    assert rows[0]["updates"] == 300
    assert {part["updates"] for part in parts} == {149, 151, 299}


def test_captures_are_a_job_for_each_venue(data_dir):
    files = [*sorted((data_dir / "okx").glob("books*.ws.gz")), *sorted((data_dir / "kraken").glob("book_*.ws.gz"))[:1]]
    plan = plan_jobs(files, split=True)
    assert [job.venue for job in plan] == ["okx", "kraken"]
    assert sum(job.size for job in plan) == sum(file.stat().st_size for file in files)
    assert {row["venue"] for row in table(run_jobs(plan))} == {"okx", "kraken"}


def test_a_range_without_anything_is_no_list(recording):
    with pytest.raises(RangeError, match="nothing in the time that was asked for; there are records from 2023-11-14"):
        plan_jobs([recording], start_ns=MIDNIGHT + DAY_NS, split=True)
    [first, *_] = plan_jobs([recording], end_ns=MIDNIGHT, split=True)
    assert (first.start_ns, first.end_ns) == (MIDNIGHT - DAY_NS, MIDNIGHT)


# ---- what fails

class Dies(Job):
    """A job that ends the process it runs in."""

    @property
    def files(self):
        os._exit(3)

    @files.setter
    def files(self, files):
        pass

    def __str__(self):
        return "the deadly job"


DEADLY = Dies((), "okx")


def with_bad_ones(recording):
    good = plan_jobs([recording], split=True)
    return good, [good[0], replace(good[1], symbols=("DOGE",)), replace(good[1], files=("nowhere",)), *good[1:]]


def check_bad_ones(good, outcome):
    assert [row for row in outcome.rows if row] == table(run_jobs(good))
    assert [text.split(":")[0] for _, text in outcome.failures] and len(outcome.failures) == 2
    texts = sorted(text for _, text in outcome.failures)
    assert "no DOGE" in texts[0]
    assert "nowhere: expected a capture file, found no such file" in texts[1]
    assert "binance_usdm from 2023-11-15T00:00:00" in str(outcome.failures[0][0])


@pytest.mark.parametrize("workers", [1, 2])
def test_two_processes_give_the_table_of_one_whatever_fails(recording, workers):
    good, plan = with_bad_ones(recording)
    told = []
    check_bad_ones(good, run_jobs(plan, workers=workers, on_progress=told.append))
    assert sum(told) == sum(job.size for job in plan)


def test_a_process_that_dies_costs_its_job_only(recording):
    good = plan_jobs([recording], split=True)
    outcome = run_jobs([good[0], DEADLY, *good[1:]], workers=2)
    assert [(str(job), text) for job, text in outcome.failures] == [("the deadly job",
                                                                     "its process has ended abruptly")]
    assert outcome.rows == table(run_jobs(good))


def test_failures_cross_processes(recording):
    with pytest.raises(JobError, match="no such file"):
        run_job(Job(("nowhere",), "okx"))
    [segment] = [segment for segment in Recording(recording).segments if segment.about.venue == "okx"]
    chunk = [chunk for chunk in segment.chunks if chunk.kind == form.RECORDS][2]
    with open(segment.path, "r+b") as file:
        file.seek(chunk.offset + form.HEAD_SIZE + 10)
        file.write(b"damage")
    [job] = plan_jobs([recording], venue="okx")
    document = run_job(job)
    assert len(document["failures"]) == 1
    assert "expected data with checksum" in document["failures"][0]
    assert document["errors"] == 1
    assert document["messages"] == 250


# ---- a cluster

@pytest.fixture(scope="module")
def cluster():
    """Two workers of a Dask cluster on this machine."""
    distributed = pytest.importorskip("distributed")
    import dask

    with dask.config.set({"distributed.scheduler.allowed-failures": 0, "distributed.worker.daemon": True}), \
            distributed.LocalCluster(processes=True, n_workers=2, threads_per_worker=1, dashboard_address=":0",
                                     silence_logs=50) as cluster:
        yield cluster


def test_a_cluster_gives_the_table_of_one_process(recording, cluster):
    plan = plan_jobs([recording], split=True)
    told = []
    outcome = run_jobs(plan, cluster=cluster.scheduler_address, on_progress=told.append)
    assert table(outcome) == table(run_jobs(plan))
    assert sum(told) == sum(job.size for job in plan)

    good, bad = with_bad_ones(recording)
    check_bad_ones(good, run_jobs(bad, cluster=cluster.scheduler_address))

    result = CliRunner().invoke(app, ["replay", str(recording), "--cluster", cluster.scheduler_address, "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert [job["venue"] for job in document["jobs"]] == ["binance_usdm", "binance_usdm", "okx"]
    assert document["failed"] == []


def test_a_worker_that_dies_costs_its_job_only(recording, cluster):
    good = plan_jobs([recording], split=True)
    outcome = run_jobs([good[0], DEADLY, *good[1:]], cluster=cluster.scheduler_address)
    assert [(str(job), text) for job, text in outcome.failures] == [("the deadly job",
                                                                     "its process has ended abruptly")]
    assert outcome.rows == table(run_jobs(good))


def test_a_cluster_without_workers_says_so(recording, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(jobs, "NO_WORKER_S", 0.5)
    monkeypatch.setattr(jobs, "LOOK_S", 0.1)
    plan = plan_jobs([recording], split=True)
    with distributed.LocalCluster(processes=False, n_workers=0, dashboard_address=":0", silence_logs=50) as empty:
        outcome = run_jobs(plan, cluster=empty.scheduler_address)
    assert len(outcome.failures) == 3
    assert {text.partition(" at ")[2].partition(" ")[2] for _, text in outcome.failures} == {"has no worker"}
    with pytest.raises(OSError, match="Timed out|connect"):
        run_jobs(plan, cluster="tcp://127.0.0.1:9")


# ---- the command

def call(*args):
    return CliRunner().invoke(app, [str(arg) for arg in args])


def test_the_command_replays_a_recording(recording):
    one = call("replay", recording, "--venue", "okx", "--json")
    assert one.exit_code == 0
    assert json.loads(one.stdout)["symbols"]["BTC-USDT"]["updates"] == 299
    both = call("replay", recording)
    assert both.exit_code == 0
    assert "binance_usdm, okx: 1,500 messages" in both.stdout
    apart = call("replay", recording, "--jobs", 2, "--json", "--start", "2023-11-15", "--symbols", "BTCUSDT,BTC-USDT")
    assert apart.exit_code == 1, "each venue lacks the other's symbol"
    assert "binance_usdm from 2023-11-15T00:00:00" in apart.stderr
    assert "no BTC-USDT; near: BTCUSDT" in apart.stderr
    late = call("replay", recording, "--venue", "binance_usdm", "--start", "2023-11-15",
                "--symbols", "btcusdt", "--json")
    assert json.loads(late.stdout)["symbols"].keys() == {"BTCUSDT"}
    for args, words in ((["--start", "2030-01-01"], "there are records from"), (["--start", "soon"], "a time like"),
                        (["--cluster", "nonsense"], "nonsense")):
        bad = call("replay", recording, *args)
        assert bad.exit_code == 1
        assert words in bad.stderr
        assert "Traceback" not in bad.stderr
