import os
import xml.etree.ElementTree as ElementTree

import pytest

from dsflash_ros.ros.transport import PROFILE_VARIABLES, prepare_transport, profile_path


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


@pytest.mark.parametrize("name", PROFILE_VARIABLES)
def test_users_profile_stays(clean, name):
    clean.setenv(name, "/my/profile.xml")
    prepare_transport()
    assert {n: os.environ.get(n) for n in PROFILE_VARIABLES if n in os.environ} == {name: "/my/profile.xml"}


def test_other_middleware_gets_no_profile(clean):
    clean.setenv("RMW_IMPLEMENTATION", "rmw_cyclonedds_cpp")
    prepare_transport()
    assert "FASTRTPS_DEFAULT_PROFILES_FILE" not in os.environ
