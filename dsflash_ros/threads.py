"""Cores that this process may use, and what must be said of waiting before torch and NumPy come.

Imports neither.
"""

import math
import os
from pathlib import Path

SPINNING = {"GOMP_SPINCOUNT": "5000", "OPENBLAS_THREAD_TIMEOUT": "4"}
"""How long threads that have nothing to do keep a core busy before they sleep.

GOMP_SPINCOUNT: how often a thread of GNU's OpenMP, which is in PyTorch's wheels, looks whether the
others of its team are there: for about 0.1 ms. By default it is 300,000 times, several
milliseconds, and a frame has hundreds of places to wait. Beside other programs the thread that is
waited for often has no core just then, and spinning keeps it from the very core that it needs: a
frame takes ten times as long. `dsflash bench load` measures it. (Intel's and LLVM's OpenMP, which
share their code, yield while they wait; Intel's did not collapse.)

OPENBLAS_THREAD_TIMEOUT: 2 to that power cycles of the processor for the threads of OpenBLAS, which
is in NumPy's wheels. By default they look for tens of milliseconds after each larger product, on
cores that PyTorch's next layers need: a frame that was tracked took a third more.
"""

USERS_OWN = {
    "GOMP_SPINCOUNT": ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"),
    "OPENBLAS_THREAD_TIMEOUT": ("OPENBLAS_THREAD_TIMEOUT",),
}
"""Variables with which users say for themselves how threads wait."""


def bound_spinning() -> None:
    """Bound how long threads of OpenMP and OpenBLAS wait busily, in this process and its children.

    Call it before torch and NumPy are imported: these libraries read the environment once, when
    they are loaded. Leaves alone what the user has chosen.
    """
    for name, value in SPINNING.items():
        if not any(own in os.environ for own in USERS_OWN[name]):
            os.environ[name] = value


def affinity_cores() -> int:
    """Cores that the scheduler may put this process on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usable_cores() -> int:
    """Cores that this process may keep busy: by its affinity and by its CPU quota, rounded up."""
    quota = cpu_quota()
    if quota is None:
        return affinity_cores()
    return min(affinity_cores(), max(1, math.ceil(quota)))


def cpu_quota(proc: Path = Path("/proc/self")) -> float | None:
    """The cores' worth of time that the control groups of this process allow; None for any.

    Reads version 2 (`cpu.max`) and version 1 (`cpu.cfs_quota_us`). Quotas of all groups from the
    process's up to the root hold; the least one is returned.
    """
    try:
        mounts = (proc / "mountinfo").read_text().splitlines()
        groups = (proc / "cgroup").read_text().splitlines()
    except OSError:
        return None
    found = []
    for folder, top in _cpu_groups(mounts, groups):
        while True:
            found.append(_quota_of(folder))
            if folder == top or folder == folder.parent:
                break
            folder = folder.parent
    return min((quota for quota in found if quota is not None), default=None)


def _cpu_groups(mounts: list[str], groups: list[str]) -> list[tuple[Path, Path]]:
    """The process's group and the topmost one, of each hierarchy that governs CPU time."""
    # a line of /proc/PID/cgroup: "3:cpu,cpuacct:/a/b", or "0::/a/b" for version 2
    paths = {}
    for line in groups:
        _, controllers, path = line.split(":", 2)
        if controllers == "" or "cpu" in controllers.split(","):
            paths["cgroup" if controllers else "cgroup2"] = path
    found = []
    for line in mounts:
        # "36 35 98:0 /root /mount/point rw,… optional… - cgroup2 source options"
        before, _, after = line.partition(" - ")
        root, mount_point = before.split()[3:5]
        kind, _, options = after.split()[:3]
        if kind not in paths or (kind == "cgroup" and "cpu" not in options.split(",")):
            continue
        path = paths[kind]
        if root != "/" and path.startswith(root):  # a container sees only its part of the tree
            path = path.removeprefix(root)
        found.append((Path(mount_point, path.lstrip("/")), Path(mount_point)))
    return found


def _quota_of(group: Path) -> float | None:
    """Cores' worth of time that this one control group allows; None for any, or if it is none."""
    try:
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text().split()
        else:
            quota = (group / "cpu.cfs_quota_us").read_text().strip()
            period = (group / "cpu.cfs_period_us").read_text()
        if quota in ("max", "-1"):
            return None
        return int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None
