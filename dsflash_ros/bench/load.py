"""Frames a second while other programs keep the cores busy, and under a CPU quota.

Robots are always loaded. What counts is how the pipeline's rate falls against what the scheduler
leaves to it: beside one busy program two cores leave 1.33 of them to two threads of the same
niceness, so the rate should fall to 67 %, and not to 5 %. Beside a program in a group of its own,
as a container or service is, they leave 1 core, whatever the number of threads and the niceness.

The pipeline runs in a process of its own, and in further ones under a quota or with other
environments. All of them stay alive. In each round every pipeline is measured beside every load, so
that a machine that gets slower or faster changes all rows alike, and ratios are taken within a
round. Busy programs are paused in between. All processes end with this one.
"""

import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass, field

from dsflash_ros.bench.busy import PROGRAMS, BusyProgram, own_groups_are_scheduled
from dsflash_ros.bench.fair_share import NICE_19, fair_cores, fair_cores_beside_a_full_core
from dsflash_ros.bench.pipeline_process import PipelineProcess
from dsflash_ros.bench.quota import NoQuotaError, cpu_quota_group
from dsflash_ros.progress_bar import progress
from dsflash_ros.text_tables import Row
from dsflash_ros.threads import affinity_cores

SETTLE_S = 0.3
"""How long a load runs before anything is measured."""


@dataclass(frozen=True)
class Load:
    """What runs beside the pipeline.

    Attributes:
        count: of busy programs, each of one thread.
        program: `loop` or `training`.
        niceness: 0 or 19.
        is_pinned: all of them on the first core.
        is_apart: each of them in a group of its own.
    """

    count: int
    program: str = "loop"
    niceness: int = 0
    is_pinned: bool = False
    is_apart: bool = False

    @property
    def name(self) -> str:
        """For the table."""
        if not self.count:
            return "idle"
        words = {"loop": "bare loop", "training": "PyTorch training"}
        text = f"{self.count} {words[self.program]}"
        if self.count > 1:
            text += "s"
        if self.niceness:
            text += f", nice {self.niceness}"
        if self.is_pinned:
            text += ", pinned to a core"
        if self.is_apart:
            text += ", in a group of its own" if self.count == 1 else ", in groups of their own"
        return text

    def cores_left(self, threads: int) -> float:
        """How many cores a fair scheduler leaves to so many threads."""
        cores = affinity_cores()
        if self.is_pinned:
            return fair_cores_beside_a_full_core(threads, self.count, cores)
        if self.is_apart:
            return fair_cores(threads, self.count, cores, weight=threads)
        return fair_cores(threads, self.count, cores, NICE_19 if self.niceness else 1.0)


IDLE = Load(0)

LOADS = (
    IDLE,
    *(Load(n, program, nice) for program in PROGRAMS for nice in (0, 19) for n in (1, 2)),
    *(Load(n, program, is_pinned=True) for program in PROGRAMS for n in (1, 2)),
    *(Load(n, program, is_apart=True) for program in PROGRAMS for n in (1, 2)),
)
"""Those with programs in groups of their own count only where the kernel schedules groups."""

LOADS_UNDER_QUOTA = (IDLE, Load(1))

COLUMNS = (
    "threads",
    "frames/s",
    "of idle",
    "cores left",
    "of idle they allow",
    "times slower than that",
)


@dataclass
class Subject:
    """A pipeline that is measured.

    Attributes:
        title: what is special about it; empty for the ordinary one.
        process: it; None where it could not be made.
        quota: cores that its control group allows; None for any.
        results: of each load, one for each round: frames a second, and that over the rate of the
            same pipeline when idle, without a quota.
    """

    title: str
    process: PipelineProcess | None
    quota: float | None = None
    results: dict[Load, list[tuple[float, float]]] = field(default_factory=dict)

    @property
    def loads(self) -> list[Load]:
        """Those that it is measured beside."""
        loads = LOADS if self.quota is None else LOADS_UNDER_QUOTA
        return [load for load in loads if not load.is_apart or own_groups_are_scheduled()]


def measure(
    settings: dict[str, object], rounds: int, seconds: float, environments: list[str]
) -> list[Row]:
    """A row for each load, and for the quota.

    Args:
        settings: the pipeline's options by name, and `source` and `size` of the frames.
        rounds: how often each row is measured; medians are given.
        seconds: of a measurement.
        environments: `NAME=VALUE` each: measure another pipeline with that in its environment.

    Raises:
        DSFlashError: a process ended, as it does for weights that are not there.
    """
    with ExitStack() as stack:
        busy = {kind: _start(stack, kind) for kind in {_kind(load) for load in LOADS}}
        subjects = [
            Subject(text, stack.enter_context(PipelineProcess(settings, text)))
            for text in ("", *environments)
        ]
        subjects.append(_under_quota(stack, settings))
        for programs in busy.values():
            for program in programs:
                program.wait_until_ready()
        running = [subject for subject in subjects if subject.process is not None]
        for subject in running:
            subject.process.wait_until_ready()
        for _ in progress(range(rounds), "load", rounds, "round"):
            _measure_round(running, busy, seconds)
    return [_row(subject, load, subjects[0]) for subject in subjects for load in subject.loads]


Kind = tuple[str, int, bool]
"""Of a busy program: its name, its niceness, whether it is in a group of its own."""


def _kind(load: Load) -> Kind:
    return load.program, load.niceness, load.is_apart


def _start(stack: ExitStack, kind: Kind) -> list[BusyProgram]:
    return [stack.enter_context(BusyProgram(*kind)) for _ in range(2)]


def _under_quota(stack: ExitStack, settings: dict[str, object]) -> Subject:
    """The pipeline in a control group that allows half of the cores, where one can be made."""
    cores = affinity_cores()
    quota = cores / 2
    title = f"CPU quota of {quota:g} of {cores}"
    try:
        group = stack.enter_context(cpu_quota_group(quota))
    except NoQuotaError as error:
        return Subject(f"{title}: {error}", None, quota)
    process = stack.enter_context(PipelineProcess(settings, group=group))
    return Subject(title, process, quota)


def _measure_round(
    subjects: list[Subject], busy: dict[Kind, list[BusyProgram]], seconds: float
) -> None:
    idle = {}
    for load in subjects[0].loads:
        beside = busy[_kind(load)][: load.count]
        for program in beside:
            program.go_on(load.is_pinned)
        time.sleep(SETTLE_S)
        for subject in subjects:
            if load not in subject.loads:
                continue
            rate = subject.process.rate(seconds)
            if load == IDLE and subject.quota is None:
                idle[subject.title] = rate
            unhindered = idle[subject.title if subject.quota is None else ""]
            subject.results.setdefault(load, []).append((rate, rate / unhindered))
        for program in beside:
            program.pause()


def _row(subject: Subject, load: Load, ordinary: Subject) -> Row:
    """What was measured beside a load. `ordinary` is the pipeline without a quota."""
    unhindered = subject if subject.quota is None else ordinary
    threads = min(unhindered.process.threads, affinity_cores())
    left = load.cores_left(threads)
    if subject.quota is not None:
        left = min(left, subject.quota)
    row = {"pipeline": subject.title, "beside": load.name}
    if subject.process is None:
        return row | dict.fromkeys(COLUMNS, "-")
    rates, ratios = zip(*subject.results[load], strict=True)
    ratio = statistics.median(ratios)
    allowed = left / threads
    numbers = (
        subject.process.threads,
        round(statistics.median(rates), 2),
        round(ratio, 3),
        round(left, 2),
        round(allowed, 3),
        round(allowed / ratio, 2),
    )
    return row | dict(zip(COLUMNS, numbers, strict=True))
