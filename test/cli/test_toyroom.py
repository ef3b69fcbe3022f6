"""The arguments of `dsflash toyroom`, and its errors; test/toyroom has what it renders."""

import subprocess
import sys

import cv2
import pytest

from dsflash_ros.cli import main
from dsflash_ros.data.shapes import write_shapes

RENDER = ["render", "--scenes", "1", "--seed", "1", "--out"]


def run_after(code, *argv):
    """Run the command after some Python code. Returns the exit code and what is on stderr."""
    argv = ["toyroom", *map(str, argv)]
    program = f"import sys\n{code}\nfrom dsflash_ros.cli import main\nsys.exit(main({argv!r}))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ([], "required: ACTION"),
        (["render", "--seed", "1", "--out", "x"], "required: --scenes"),
        ([*RENDER, "x", "--size", "640"], "'640' is no size such as 640x480"),
        ([*RENDER, "x", "--size", "8x480"], "'8x480' is no size"),
        ([*RENDER, "x", "--test-share", "1.1"], "'1.1' is no number from 0 to 1"),
        ([*RENDER, "x", "--test-share", "nan"], "'nan' is no number from 0 to 1"),
        ([*RENDER, "x", "--first", "-1"], "'-1' is no whole number"),
        ([*RENDER, "x", "--views", "0"], "'0' is no whole number"),
        ([*RENDER, "x", "--split", "dev"], "invalid choice: 'dev'"),
        ([*RENDER, "x", "--split", "val", "--test-share", "0.5"], "not allowed with argument"),
        (["show", "--out", "x.png"], "give one of them"),
        (["show", "data", "--seed", "1", "--out", "x.png"], "give one of them"),
        (["show", "--out", "x.png"], "usage: dsflash toyroom show "),
        (["camera", "--record", "bag"], "usage: dsflash toyroom camera "),
        (["show", "--seed", "1", "--out", "x.bmp"], "x.bmp: pictures are written as .png or .jpg"),
    ],
)
def test_wrong_usage_exits_with_2(argv, sentence, capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(["toyroom", *argv])
    assert exit_info.value.code == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("argv", [[*RENDER, "out"], ["show", "--seed", "1", "--out", "sheet.png"]])
def test_without_mujoco_one_sentence(argv, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, error = run_after("sys.modules['mujoco'] = None", *argv)
    assert code == 1 and error.count("\n") == 1
    assert "mujoco" in error and "pip install 'dsflash_ros[toyroom]'" in error
    assert not list(tmp_path.iterdir())


def test_a_data_set_is_shown_without_mujoco(tmp_path):
    write_shapes(tmp_path / "data", 3, seed=3, height=72, width=96)
    code, error = run_after(
        "sys.modules['mujoco'] = None", "show", tmp_path / "data", "--out", tmp_path / "sheet.png"
    )
    assert code == 0, error
    assert cv2.imread(str(tmp_path / "sheet.png")).shape[0] == 960
    code, error = run_after("", "show", tmp_path / "data", "--out", tmp_path / "sheet.png")
    assert code == 1 and "give --overwrite to replace it" in error


def test_without_a_rendering_library_one_sentence_says_what_to_install(tmp_path):
    pytest.importorskip("mujoco")
    nothing = (
        "import ctypes.util, os; os.environ.pop('MUJOCO_GL', 0); "
        "ctypes.util.find_library = lambda name: None"
    )
    code, error = run_after(nothing, *RENDER, tmp_path / "out", "--workers", "2")
    assert code == 1 and error.count("\n") == 1, error
    assert "there is no library to render with" in error and "apt install libosmesa6" in error
    assert not list(tmp_path.iterdir())
