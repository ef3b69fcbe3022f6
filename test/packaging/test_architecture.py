"""The rooms of the code: who imports whom, and that no file name means two things."""

import subprocess
import sys
from collections import Counter

import pytest
from places import GENERATED, ROOT

import dsflash_ros

MIRRORS = {"cli", "bench"}
"""Their modules are called as the commands that they belong to."""


def test_imports_run_downwards():
    """The contracts are in pyproject.toml, under tool.importlinter."""
    pytest.importorskip("importlinter")
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as run; run()",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        (
            "graph images.encodings images.letterbox drawing.overlay planning.pddl planning.query "
            "planning.latest planning.scene_text "
            "tracking.tracker geometry.positions geometry.spatial_relations cli",
            "torch rclpy",
        ),
        ("pipeline.options ros", "torch"),
        ("sources sources.bag sinks", "torch rclpy"),
        ("pipeline.pipeline", "rclpy"),
        ("pipeline.pipeline pipeline.arrays pipeline.tracked pipeline.choice", "torch rclpy"),
        ("weights.loading weights.exported loop", "torch rclpy"),
    ],
)
def test_what_imports_without_torch_and_without_ros(modules, absent):
    code = f"import sys, importlib\nfor name in {absent.split()}: sys.modules[name] = None\n"
    code += "sys.modules['dsflash_ros.msg'] = None\n" if "rclpy" in absent else ""
    code += f"for name in {modules.split()}: importlib.import_module('dsflash_ros.' + name)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_front_door_opens_without_torch():
    code = (
        "import sys; from dsflash_ros import Options, SceneGraph; Options()\n"
        "assert 'torch' not in sys.modules\n"
        "from dsflash_ros import SceneGraphPipeline; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert set(dsflash_ros.__all__) <= set(dir(dsflash_ros))
    with pytest.raises(AttributeError, match="has no attribute 'Pipeline'"):
        _ = dsflash_ros.Pipeline


def test_no_two_modules_have_the_same_name():
    package = ROOT / "dsflash_ros"
    modules = [path.relative_to(package) for path in package.rglob("*.py")]
    names = Counter(
        path.stem
        for path in modules
        if path.stem[:2] != "__" and path.parts[0] not in MIRRORS | set(GENERATED)
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_no_two_classes_have_the_same_name():
    import ast

    names = Counter(
        node.name
        for path in (ROOT / "dsflash_ros").rglob("*.py")
        if path.relative_to(ROOT / "dsflash_ros").parts[0] not in GENERATED
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in names.items() if count > 1] == []
