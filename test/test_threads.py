import os
import subprocess
import sys

import pytest

from dsflash_ros import threads


def mountinfo(root, mount_point, kind, options="rw"):
    return f"36 35 98:0 {root} {mount_point} rw,relatime shared:1 - {kind} {kind} {options}\n"


class Groups:
    """A made-up /proc/self and trees of control groups."""

    def __init__(self, folder):
        self.proc = folder / "proc"
        self.tree = folder / "cgroup"
        self.proc.mkdir()
        self.tree.mkdir()

    def write(self, path, **files):
        group = self.tree / path
        group.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (group / f"cpu.{name}").write_text(f"{text}\n")

    def quota(self, cgroup, mounts):
        (self.proc / "cgroup").write_text(cgroup)
        (self.proc / "mountinfo").write_text(mountinfo("/", "/proc", "proc") + mounts)
        return threads.cpu_quota(self.proc)


@pytest.fixture
def groups(tmp_path):
    return Groups(tmp_path)


def test_quota_of_version_2_is_the_least_up_to_the_root(groups):
    groups.write("robot", max="300000 100000")
    groups.write("robot/vision", max="max 100000")
    groups.write("robot/vision/node", max="150000 50000")
    groups.write("robot/vision/small", max="50000 100000")
    mount = mountinfo("/", groups.tree, "cgroup2")
    assert groups.quota("0::/robot/vision/node\n", mount) == 3.0
    assert groups.quota("0::/robot/vision/small\n", mount) == 0.5
    assert groups.quota("0::/robot\n", mount) == 3.0
    assert groups.quota("0::/\n", mount) is None
    assert groups.quota("0::/gone\n", mount) is None


def test_quota_of_version_1(groups):
    groups.write("docker/id", cfs_quota_us=250_000, cfs_period_us=100_000)
    groups.write("docker", cfs_quota_us=-1, cfs_period_us=100_000)
    mount = mountinfo("/", groups.tree, "cgroup", "rw,cpu,cpuacct")
    other = mountinfo("/", groups.tree, "cgroup", "rw,memory")
    lines = "4:memory:/docker/id\n3:cpu,cpuacct:/docker/id\n0::/docker/id\n"
    assert groups.quota(lines, mount) == 2.5
    assert groups.quota(lines, other) is None
    assert groups.quota("3:cpu,cpuacct:/docker\n", mount) is None


def test_a_container_sees_its_own_group_as_the_mount(groups):
    groups.write("", cfs_quota_us=200_000, cfs_period_us=100_000)
    mount = mountinfo("/docker/id", groups.tree, "cgroup", "rw,cpu")
    assert groups.quota("3:cpu:/docker/id\n", mount) == 2.0


def test_no_quota_where_there_are_no_control_groups(groups, tmp_path):
    assert groups.quota("", "") is None
    assert threads.cpu_quota(tmp_path / "none") is None
    groups.write("", max="damaged")
    assert groups.quota("0::/\n", mountinfo("/", groups.tree, "cgroup2")) is None


@pytest.mark.parametrize(("quota", "usable"), [(None, 4), (0.2, 1), (1.0, 1), (1.5, 2), (9.0, 4)])
def test_usable_cores(monkeypatch, quota, usable):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 5})
    monkeypatch.setattr(threads, "cpu_quota", lambda: quota)
    assert threads.usable_cores() == usable


def test_spinning_is_bounded_unless_the_user_said_how_to_wait(monkeypatch):
    openmp, blas = threads.SPINNING
    for own, bounded in (
        ({"OMP_WAIT_POLICY": "active"}, {blas}),
        ({openmp: "7"}, {blas}),
        ({blas: "20"}, {openmp}),
        ({}, {openmp, blas}),
    ):
        monkeypatch.setattr(os, "environ", dict(own))
        threads.bound_spinning()
        assert os.environ == own | {name: threads.SPINNING[name] for name in bounded}


@pytest.mark.parametrize(
    "program",
    [
        "from dsflash_ros import SceneGraphPipeline; import torch",
        "from dsflash_ros.pipeline.pipeline import SceneGraphPipeline; import torch",
        "import dsflash_ros.cli; dsflash_ros.cli._parser(); import torch",
        "import dsflash_ros.ros.node; import torch",
    ],
)
@pytest.mark.parametrize(
    ("library", "name"), zip(("torch", "numpy"), threads.SPINNING, strict=True)
)
def test_it_is_bounded_before_the_library_is_imported(program, library, name):
    """Library, command and node: what torch and NumPy would find in the environment."""
    if "ros.node" in program:
        pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")
    finder = (
        "import os, sys\n"
        "class Finder:\n"
        "    def find_spec(name, path=None, target=None):\n"
        f"        if name == {library!r}:\n"
        f"            print(os.environ.get({name!r}))\n"
        "            sys.exit()\n"
        "sys.meta_path.insert(0, Finder)\n"
    )
    known = {*threads.USERS_OWN[name], name}
    environment = {k: v for k, v in os.environ.items() if k not in known}
    done = subprocess.run(
        [sys.executable, "-c", finder + program],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [threads.SPINNING[name]]
