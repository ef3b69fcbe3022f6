import os
import shutil
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import pytest

from dsflash_ros.ros.process.transport import PROFILE_VARIABLES, prepare_transport, profile_path


@pytest.fixture
def clean(monkeypatch):
    for name in (*PROFILE_VARIABLES, "RMW_IMPLEMENTATION"):
        # set first, so that the variable's absence is restored, too
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return monkeypatch


def test_packaged_profile_is_used(clean):
    prepare_transport()
    assert os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"] == profile_path()
    kinds = [e.text for e in ElementTree.parse(profile_path()).iter() if e.tag.endswith("}type")]
    assert kinds == ["SHM", "UDPv4"]


@pytest.mark.parametrize(("free_mib", "segment_mib"), [(4096, 64), (63, 8)])
def test_profile_fits_the_shared_memory_there_is(monkeypatch, free_mib, segment_mib):
    """A container has 64 MiB by default: no room for two processes with the large profile."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free_mib << 20))
    sizes = [
        int(e.text)
        for e in ElementTree.parse(profile_path()).iter()
        if e.tag.endswith("segment_size")
    ]
    assert sizes == [segment_mib << 20]


@pytest.mark.parametrize("name", PROFILE_VARIABLES)
def test_users_profile_stays(clean, name):
    clean.setenv(name, "/my/profile.xml")
    prepare_transport()
    assert {n: os.environ.get(n) for n in PROFILE_VARIABLES if n in os.environ} == {
        name: "/my/profile.xml"
    }


def test_other_middleware_gets_no_profile(clean):
    clean.setenv("RMW_IMPLEMENTATION", "rmw_cyclonedds_cpp")
    prepare_transport()
    assert "FASTRTPS_DEFAULT_PROFILES_FILE" not in os.environ
