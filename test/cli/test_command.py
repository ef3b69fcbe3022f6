"""The `dsflash` command as a whole: help, exit codes, and what it needs."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dsflash_ros.cli import COMMANDS, main

WITHOUT = """
import sys
for name in {modules!r}:
    sys.modules[name] = None
from dsflash_ros.cli import main
sys.exit(main({argv!r}))
"""


def run_without(modules, argv):
    """Run the command where those modules cannot be imported."""
    code = WITHOUT.format(modules=modules, argv=argv)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("argv", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_needs_neither_torch_nor_ros_nor_opencv(argv):
    result = run_without(["torch", "rclpy", "cv2", "dsflash_ros.msg"], argv)
    assert result.returncode == 0, result.stderr
    words = COMMANDS if argv == ["--help"] else [argv[0]]
    assert all(word in result.stdout for word in words)


@pytest.mark.parametrize(
    "argv", [["play", "x.mp4"], ["node"], ["node", "--ros-args", "-r", "image:=/a"]]
)
def test_without_ros_one_sentence(argv):
    result = run_without(["rclpy"], argv)
    assert result.returncode == 1
    assert (
        result.stderr.startswith(f"dsflash {argv[0]}: this needs ROS 2")
        and result.stderr.count("\n") == 1
    )


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["fly"], "invalid choice: 'fly'"),
        (["run", "a.png"], "required: --out"),
        (["run", "--out", "x"], "required: SOURCE"),
        (["run", "a.png", "--out", "x", "--stride", "0"], "'0' is no whole number from 1 to"),
        (["run", "a.png", "--out", "x", "--limit", "1.5"], "'1.5' is no whole number from 1 to"),
        (["run", "a.png", "--out", "x", "--precision", "int4"], "invalid choice: 'int4'"),
        (["run", "a.png", "--out", "x", "--over"], "unrecognized arguments: --over"),
        (["play", "a.png", "--rate", "0"], "'0' is no number from 0.001"),
        (["play", "a.png", "--rate", "nan"], "'nan' is no number from"),
    ],
)
def test_wrong_usage_exits_with_2(argv, sentence, capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(argv)
    assert exit_info.value.code == 2
    assert sentence in capsys.readouterr().err


def test_without_arguments_it_prints_its_help(capsys):
    assert main([]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("usage: dsflash ") and err == ""
    assert all(command in out for command in COMMANDS)


def test_the_former_name_of_toyroom_works_and_says_so(tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(["world", "show", "--out", str(tmp_path / "sheet.png")])
    assert exit_info.value.code == 2
    told, *rest = capsys.readouterr().err.splitlines()
    assert told == "dsflash world is now called dsflash toyroom"
    assert rest[-1].startswith("dsflash toyroom show: error: show draws either")


def test_version(capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(["--version"])
    assert exit_info.value.code == 0
    assert capsys.readouterr().out.startswith("dsflash 0.")


def test_all_arguments_of_node_reach_ros(monkeypatch):
    node = pytest.importorskip(
        "dsflash_ros.ros.main", reason="needs rclpy and the generated messages"
    )
    seen = []
    monkeypatch.setattr(node, "main", lambda args: seen.append(args) or 7)
    argv = [
        "--ros-args",
        "-r",
        "image:=/camera",
        "-p",
        "weights:=random",
        "--params-file",
        "x.yaml",
        "--",
        "rest",
    ]
    assert main(["node", *argv]) == 7
    assert main(["node"]) == 7
    assert seen == [argv, []]


@pytest.mark.parametrize(
    ("what", "missing"),
    [("segmenter", ["dataset", "out"]), ("relations", ["dataset", "out", "segmenter"])],
)
def test_train_shows_its_settings(what, missing, capsys):
    pytest.importorskip("lightning")
    assert main(["train", what, "tiny", "epochs=7", "--show"]) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert shown["epochs"] == 7
    assert sorted(key for key, value in shown.items() if value == "...") == sorted(missing)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_one_sentence():
    with open("/dev/full", "w") as full:
        code = [sys.executable, "-m", "dsflash_ros.cli", "tables"]
        done = subprocess.run(code, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    told = "dsflash tables: cannot write the output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_output_may_be_closed():
    code = ["sh", "-c", '"$0" -m dsflash_ros.cli tables >&-', sys.executable]
    done = subprocess.run(code, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
