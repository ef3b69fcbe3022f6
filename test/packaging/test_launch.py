import ast
import importlib.util
import json
import os
import re
import sys
from pathlib import Path

import pytest
import yaml
from places import ROOT

from dsflash_ros.ros.parameter_table import BY_NAME

LAUNCH_FILES = sorted((ROOT / "launch").glob("*.launch.py"))


def assigned(path, name):
    """The expression assigned to a name at the top of a Python file."""
    for statement in ast.parse(path.read_text()).body:
        if isinstance(statement, ast.Assign) and statement.targets[0].id == name:
            return statement.value
    raise AssertionError(f"no {name} in {path}")


def configurations_read(path):
    """The literal names in LaunchConfiguration(...) calls."""
    return set(re.findall(r'LaunchConfiguration\("(\w+)"\)', path.read_text()))


def test_every_argument_is_declared_with_a_description():
    path = ROOT / "launch/dsflash.launch.py"
    declared = assigned(path, "ARGUMENTS")
    names = {key.value for key in declared.keys}
    assert configurations_read(path) <= names
    assert not names & set(BY_NAME)
    for value in declared.values:
        assert re.fullmatch(r".{10,}[.]", value.elts[1].value)


@pytest.fixture
def launch():
    """The launch package of ROS 2. A package called launch on other indexes is something else."""
    launch = pytest.importorskip("launch")
    if not hasattr(launch, "LaunchDescription") or not importlib.util.find_spec("launch_ros"):
        pytest.skip("needs ROS 2's launch and launch_ros")
    os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)
    return launch


def start(launch, path, **arguments):
    """Launch the file for real and stop it once all its processes have started.

    Returns their command lines.
    """
    from launch.actions import (
        EmitEvent,
        IncludeLaunchDescription,
        RegisterEventHandler,
        TimerAction,
    )
    from launch.event_handlers import OnProcessStart
    from launch.events import Shutdown

    commands = []
    service = launch.LaunchService()
    service.include_launch_description(
        launch.LaunchDescription(
            [
                RegisterEventHandler(
                    OnProcessStart(on_start=lambda event, context: commands.append(event.cmd))
                ),
                IncludeLaunchDescription(str(path), launch_arguments=arguments.items()),
                TimerAction(period=1.0, actions=[EmitEvent(event=Shutdown())]),
            ]
        )
    )
    service.run()
    return commands


def test_each_launch_file_describes_its_arguments(launch):
    from launch.launch_description_sources import get_launch_description_from_python_launch_file

    for path in LAUNCH_FILES:
        arguments = get_launch_description_from_python_launch_file(str(path)).get_launch_arguments()
        assert arguments
        assert all(argument.description != "no description given" for argument in arguments)


def test_the_arguments_are_the_parameters_that_count_at_start(launch):
    from launch.launch_description_sources import get_launch_description_from_python_launch_file

    path = ROOT / "launch/dsflash.launch.py"
    description = get_launch_description_from_python_launch_file(str(path))
    arguments = {argument.name: argument for argument in description.get_launch_arguments()}
    own = {key.value for key in assigned(path, "ARGUMENTS").keys}
    parameters = {name for name, parameter in BY_NAME.items() if not parameter.live}
    assert set(arguments) == own | parameters
    for name in parameters:
        assert arguments[name].description == BY_NAME[name].description


def test_node_gets_its_namespace_remappings_and_parameters(launch):
    (command,) = start(
        launch,
        ROOT / "launch/dsflash.launch.py",
        namespace="front",
        image="/camera/image_raw",
        depth="/camera/depth",
        weights="1e5",
        autostart="False",
        threads="2",
        classes="[cup, dining table]",
        predicates="['on']",
        log_level="warn",
    )
    words = " ".join(command)
    assert "/lib/dsflash_ros/dsflash_node " in words
    assert "-r __node:=dsflash -r __ns:=/front " in words
    assert "-r image:=/camera/image_raw -r image/compressed:=/camera/image_raw/compressed" in words
    assert "-r depth:=/camera/depth -r camera_info:=camera_info" in words
    assert "--log-level warn" in words
    files = [
        yaml.safe_load(Path(file).read_text()) for file in re.findall(r"--params-file (\S+)", words)
    ]
    assert files[0] == yaml.safe_load((ROOT / "config/dsflash.yaml").read_text())
    assert files[1] == {
        "/front/dsflash": {
            "ros__parameters": {
                "weights": "1e5",
                "autostart": False,
                "threads": 2,
                "classes": ["cup", "dining table"],
                "predicates": ["on"],
            }
        }
    }


def test_arguments_not_given_leave_the_file_of_parameters_alone(launch, tmp_path):
    (tmp_path / "mine.yaml").write_text("/**: {ros__parameters: {autostart: false}}")
    (command,) = start(
        launch, ROOT / "launch/dsflash.launch.py", params_file=str(tmp_path / "mine.yaml")
    )
    assert re.findall(r"--params-file (\S+)", " ".join(command)) == [str(tmp_path / "mine.yaml")]


def test_one_node_for_several_cameras(launch):
    path = ROOT / "launch/dsflash_cameras.launch.py"
    (command,) = start(launch, path, cameras="left, right", autostart="false")
    *_, file = re.findall(r"--params-file (\S+)", " ".join(command))
    given = yaml.safe_load(Path(file).read_text())["/dsflash"]["ros__parameters"]
    assert given == {"cameras": "left, right", "autostart": False}


def replay_commands(monkeypatch, **given):
    """The player's command line, for these arguments, as ours, and as of `ros2 bag`."""
    spec = importlib.util.spec_from_file_location(
        "replay_launch", ROOT / "launch/dsflash_replay.launch.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    given = {"bag": "drive", "speed": "0.5", "image": "image"} | given
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    ours = module.player_command(given, "/front/image")
    monkeypatch.setattr(module.shutil, "which", lambda name: f"/opt/ros/{name}")
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: name)
    return ours[1:], module.player_command(given, "/front/image")


def test_the_player_of_a_live_replay(launch, monkeypatch):
    ours, ros2 = replay_commands(monkeypatch)
    play = "-m dsflash_ros.cli play drive --clock --speed 0.5 --topic /front/image --wait 2"
    assert ours == play.split()
    assert ros2 == ["ros2", "bag", "play", "drive", "--clock", "--rate", "0.5", "--delay", "2"]
    ours, _ = replay_commands(monkeypatch, image="/front/image", image_transport="compressed")
    assert ours == f"{play} --compressed --bag-topic /front/image/compressed".split()


def test_a_live_replay_ends_with_the_bag(launch, monkeypatch, tmp_path):
    pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("ROS_DOMAIN_ID", str(10 + os.getpid() % 90))
    description = launch.LaunchDescription(
        [
            launch.actions.IncludeLaunchDescription(
                str(ROOT / "launch/dsflash_replay.launch.py"),
                launch_arguments={
                    "bag": str(ROOT / "examples/drive"),
                    "speed": "8",
                    "weights": "random-tiny",
                    "json": str(tmp_path / "live.json"),
                }.items(),
            )
        ]
    )
    service = launch.LaunchService()
    service.include_launch_description(description)
    assert service.run() == 0
    scores = json.loads((tmp_path / "live.json").read_text())
    assert scores["images"] == 150 and scores["graphs"] > 0


def test_profile_is_set_for_what_the_launch_starts_unless_the_user_set_one(launch, monkeypatch):
    from launch.actions import SetEnvironmentVariable
    from launch.launch_description_sources import get_launch_description_from_python_launch_file

    def variables():
        description = get_launch_description_from_python_launch_file(
            str(ROOT / "launch/dsflash.launch.py")
        )
        entities = [
            entity for entity in description.entities if isinstance(entity, SetEnvironmentVariable)
        ]
        return {entity.name[0].text: entity.value[0].text for entity in entities}

    monkeypatch.delenv("FASTRTPS_DEFAULT_PROFILES_FILE", raising=False)
    assert Path(variables()["FASTRTPS_DEFAULT_PROFILES_FILE"]).name == "fastdds.xml"
    monkeypatch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE", "/mine.xml")
    assert "FASTRTPS_DEFAULT_PROFILES_FILE" not in variables()
