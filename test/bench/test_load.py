import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from dsflash_ros import threads
from dsflash_ros.bench import load
from dsflash_ros.bench.busy import BusyProgram
from dsflash_ros.bench.fair_share import fair_cores
from dsflash_ros.bench.load import IDLE, Load
from dsflash_ros.bench.pipeline_process import _environment_with
from dsflash_ros.bench.quota import NoQuotaError, cpu_quota_group
from dsflash_ros.pipeline.options import FRAME_OPTIONS, MODEL_OPTIONS
from dsflash_ros.threads import cpu_quota

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's scheduler"),
]


@pytest.mark.parametrize(
    ("threads", "others", "cores", "weight", "left"),
    [
        (2, 0, 2, 1.0, 2),
        (4, 0, 2, 1.0, 2),
        (2, 1, 2, 1.0, 4 / 3),
        (2, 2, 2, 1.0, 1),
        (1, 1, 2, 1.0, 1),
        (4, 1, 8, 1.0, 4),
        (2, 2, 2, 0.5, 4 / 3),
        (1, 2, 2, 0.5, 1),
        (2, 3, 2, 2.0, 0.5),
        (2, 1, 2, 4.0, 1),  # its share were 1.33 cores: it takes one
    ],
)
def test_a_fair_share(threads, others, cores, weight, left):
    assert fair_cores(threads, others, cores, weight) == pytest.approx(left)


@pytest.mark.parametrize(
    ("beside", "left"),
    [
        (IDLE, 2),
        (Load(1), 4 / 3),
        (Load(2), 1),
        (Load(1, niceness=19), 2 * 1024 / (1024 + 7.5)),
        (Load(1, is_pinned=True), 1.5),
        (Load(2, is_pinned=True), 4 / 3),
        (Load(1, is_apart=True), 1),
        (Load(2, is_apart=True), 2 / 3),
    ],
)
def test_cores_left_of_two(monkeypatch, beside, left):
    monkeypatch.setattr("dsflash_ros.bench.load.affinity_cores", lambda: 2)
    assert beside.cores_left(2) == pytest.approx(left)
    assert Load(2, is_pinned=True).cores_left(1) == 1


def test_every_kind_of_load_is_there_once():
    names = [each.name for each in load.LOADS]
    assert len(set(names)) == len(names) and names[0] == "idle"
    assert {"1 bare loop", "2 bare loops, nice 19", "2 PyTorch trainings"} < set(names)
    assert "1 PyTorch training, pinned to a core" in names
    assert "1 bare loop, in a group of its own" in names


def used_seconds(pid, during=0.2):
    process = psutil.Process(pid)
    before = sum(process.cpu_times()[:2])
    time.sleep(during)
    return sum(process.cpu_times()[:2]) - before


def test_a_busy_program_is_busy_only_when_told_to():
    with BusyProgram("loop", 19) as program:
        program.wait_until_ready()
        assert psutil.Process(program.pid).nice() == 19
        assert used_seconds(program.pid) == 0
        program.go_on(is_pinned=True)
        assert psutil.Process(program.pid).cpu_affinity() == [min(os.sched_getaffinity(0))]
        assert used_seconds(program.pid, 1.0) > 0
        program.pause()
        program.go_on(is_pinned=False)
        assert set(psutil.Process(program.pid).cpu_affinity()) == os.sched_getaffinity(0)
        program.pause()
    assert not psutil.pid_exists(program.pid)


def test_a_program_apart_has_a_session_of_its_own():
    for is_apart in (False, True):
        with BusyProgram("loop", 0, is_apart) as program:
            program.wait_until_ready()
            assert (os.getsid(program.pid) != os.getsid(0)) == is_apart
            assert os.getpgid(program.pid) == program.pid  # where Ctrl-C does not reach it


def test_training_is_busy():
    with BusyProgram("training", 0) as program:
        program.wait_until_ready()
        program.go_on(is_pinned=False)
        assert used_seconds(program.pid, 1.0) > 0


SETTINGS = {option.name: option.default for option in (*MODEL_OPTIONS, *FRAME_OPTIONS)}
SETTINGS |= {"weights": "random", "max_segments": 2, "source": None, "size": (64, 48)}


def test_rows(monkeypatch):
    """The real processes, beside bare loops only."""
    monkeypatch.setattr(load, "LOADS", (IDLE, Load(1), Load(2, niceness=19)))
    rows = load.measure(SETTINGS, rounds=1, seconds=0.05, environments=[])
    names = ["idle", "1 bare loop", "2 bare loops, nice 19"]
    assert [row["beside"] for row in rows] == [*names, "idle", "1 bare loop"]
    assert [row["pipeline"] for row in rows[:3]] == [""] * 3
    assert all("CPU quota of" in row["pipeline"] for row in rows[3:])
    for row in rows[:3]:
        assert row["frames/s"] > 0 and 0 < row["of idle they allow"] <= 1
        slower = row["of idle they allow"] / row["of idle"]
        assert row["times slower than that"] == pytest.approx(slower, rel=0.05)
    assert rows[0]["of idle"] == 1


def test_what_we_set_for_openmp_is_not_in_the_way_of_another_environment(monkeypatch):
    for name, value in threads.SPINNING.items():
        monkeypatch.setenv(name, value)
    environment = _environment_with("OMP_WAIT_POLICY=passive")
    assert environment["OMP_WAIT_POLICY"] == "passive"
    assert not set(threads.SPINNING) & set(environment)
    monkeypatch.setenv("GOMP_SPINCOUNT", "77")  # the user's own
    assert _environment_with("")["GOMP_SPINCOUNT"] == "77"


def test_a_quota_that_cannot_be_made_is_told_in_its_row(monkeypatch):
    def refuse(cores):
        raise NoQuotaError("no control group can be made (Permission denied)")

    monkeypatch.setattr(load, "cpu_quota_group", refuse)
    ordinary = load.Subject("", type("Process", (), {"threads": 2})())
    with load.ExitStack() as stack:
        subject = load._under_quota(stack, SETTINGS)
    row = load._row(subject, IDLE, ordinary)
    assert row["pipeline"].endswith("no control group can be made (Permission denied)")
    assert {row[column] for column in load.COLUMNS} == {"-"}


def test_a_quota_holds():
    """The kernel keeps to it, and our own reading of quotas finds it."""
    program = (
        "import os, sys, time; open(sys.argv[1] + '/cgroup.procs', 'w').write(str(os.getpid()))\n"
        "from dsflash_ros.threads import cpu_quota; print(cpu_quota())\n"
        "end = time.monotonic() + 1\n"
        "while time.monotonic() < end: pass\n"
        "print(time.process_time())"
    )
    try:
        with cpu_quota_group(0.25) as group:
            done = subprocess.run(
                [sys.executable, "-c", program, str(group)],
                capture_output=True,
                text=True,
                check=True,
            )
    except NoQuotaError as error:
        pytest.skip(str(error))
    quota, used = map(float, done.stdout.split())
    assert quota == 0.25 and used < 0.8
    assert not group.exists()
    assert cpu_quota() != 0.25


def test_a_quota_of_version_2(tmp_path):
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory pids\n")
    with cpu_quota_group(1.5, tmp_path) as group:
        assert (group / "cpu.max").read_text() == "150000 100000"
        (group / "cpu.max").unlink()  # the kernel's own removal needs no such thing
    assert not group.exists()


def test_no_quota_without_control_groups(tmp_path):
    with pytest.raises(NoQuotaError, match="has no control groups"), cpu_quota_group(1, tmp_path):
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_stays_behind(number):
    """The processes of a measurement end with the one that started them."""
    program = (
        "import json, sys; from dsflash_ros.bench.load import measure\n"
        "measure(json.loads(sys.argv[1]), rounds=1000, seconds=1.0, environments=[])"
    )
    bench = subprocess.Popen(
        [sys.executable, "-c", program, json.dumps(SETTINGS)], stderr=subprocess.DEVNULL
    )
    children = []
    end = time.monotonic() + 120
    while len(children) < 14 and time.monotonic() < end:  # 12 are busy, 2 have pipelines
        time.sleep(0.05)
        children = psutil.Process(bench.pid).children()
        if len(children) == 13:  # it may have no right to make a quota
            end = min(end, time.monotonic() + 20)
    bench.send_signal(number)
    assert bench.wait(180) == -number
    assert len(children) >= 13
    _, alive = psutil.wait_procs(children, timeout=180)
    assert not alive
