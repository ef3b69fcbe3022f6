"""A control group with a CPU quota, as containers have it, for `dsflash bench load`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dsflash_ros.errors import DSFlashError

ROOT = Path("/sys/fs/cgroup")
PERIOD_US = 100_000  # the kernel's and Docker's default


class NoQuotaError(DSFlashError):
    """This machine does not let us make a control group with a CPU quota."""


@contextmanager
def cpu_quota_group(cores: float, root: Path = ROOT) -> Iterator[Path]:
    """Make a control group whose processes get that many cores' worth of CPU time.

    Gives its folder, into whose file `cgroup.procs` a process writes its id to join. When the
    context ends all of them must have ended; then the group is removed.

    Args:
        cores: the quota.
        root: where the control groups are mounted.

    Raises:
        NoQuotaError: there are no control groups for CPU time here, or we may make none (it takes
            root's rights).
    """
    quota_us = round(cores * PERIOD_US)
    if _governs_cpu(root / "cgroup.subtree_control"):
        group, files = root, {"cpu.max": f"{quota_us} {PERIOD_US}"}
    elif (root / "cpu").is_dir():
        group, files = root / "cpu", {"cpu.cfs_period_us": PERIOD_US, "cpu.cfs_quota_us": quota_us}
    else:
        raise NoQuotaError(f"{root} has no control groups for CPU time")
    group /= f"dsflash_bench_{os.getpid()}_{quota_us}"
    try:
        group.mkdir()
    except OSError as error:
        raise NoQuotaError(f"no control group can be made ({error.strerror})") from error
    try:
        _write(group, files)
        yield group
    finally:
        group.rmdir()


def _write(group: Path, files: dict[str, object]) -> None:
    try:
        for name, value in files.items():
            (group / name).write_text(str(value))
    except OSError as error:
        raise NoQuotaError(f"no quota can be set ({error.strerror})") from error


def _governs_cpu(subtree_control: Path) -> bool:
    """Whether groups right below the root of version 2 can have a CPU quota."""
    return subtree_control.is_file() and "cpu" in subtree_control.read_text().split()
