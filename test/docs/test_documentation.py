"""README and docs are true where that can be checked: sizes, links, names, tables of options."""

import argparse
import ast
import importlib
import json
import re
from dataclasses import fields

import numpy as np
import pytest
from pages import commands, pages, read_page
from places import GENERATED, ROOT

from dsflash_ros import Options, SceneGraph, cli
from dsflash_ros.graph.scene_graph import Node, Relation
from dsflash_ros.ros.parameter_table import BY_NAME

PARSER = cli._parser()
README = read_page(ROOT / "README.md")
NODE = read_page(ROOT / "docs/node.md")
PROSE = [page for page in pages() if page.path.name != "CHANGELOG.md"]
SHELL = [block for page in pages() for block in page.blocks if block.language == "bash"]

FOREIGN = {"--shm-size", "--ipc", "--show-args", "--logdir"}
"""Options of other programs that the text names: docker, ros2 launch, tensorboard."""


def parser_at(words):
    """The parser of the command that these words begin with, and its name; None where none is."""
    parser, name = PARSER, []
    for word in words:
        found = next((a for a in parser._actions if isinstance(a, argparse._SubParsersAction)), {})
        if not found or word not in found.choices:
            break
        parser, name = found.choices[word], [*name, word]
    return parser, name


def options_of(parser):
    """All options of a parser and of those below it."""
    found = set(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found = found.union(*(options_of(inner) for inner in action.choices.values()))
    return found


def literal(path, name):
    """The value of a module's constant, without importing the module."""
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == name:
            return node.value
    raise AssertionError(f"{path} has no {name}")


def docstring(path):
    return ast.get_docstring(ast.parse((ROOT / path).read_text()))


def test_the_readme_is_short():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 120
    assert [line for line in lines if len(line) > 120] == []


def test_lines_of_text_are_narrow():
    wide = [f"{p}: {line}" for p in PROSE for line in p.lines if len(line) > 120 and line[0] != "|"]
    assert wide == []


def test_the_readme_shows_the_front_door_first():
    first = next(block for block in README.blocks if block.language == "python")
    assert first.text.startswith(
        "from dsflash_ros import SceneGraphPipeline, Options, SceneGraph\n"
    )
    for command in ("make demo", "make test"):
        assert any(command in block.text for block in README.blocks)


def test_every_page_is_in_both_indexes():
    names = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    index = read_page(ROOT / "docs/README.md")
    assert names <= set(index.links)
    assert {f"docs/{name}" for name in names} <= set(README.links)


@pytest.mark.parametrize("page", pages(), ids=str)
def test_links_lead_somewhere(page):
    broken = []
    for link in page.links:
        target, _, anchor = link.partition("#")
        if "://" in target:
            continue
        path = (ROOT / page.path).parent / target if target else ROOT / page.path
        is_there = path.exists() and path.resolve().is_relative_to(ROOT)
        if not is_there or (anchor and anchor not in read_page(path.resolve()).anchors):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("block", [b for b in SHELL if "dsflash " in b.text], ids=str)
def test_commands_of_blocks_exist_whether_they_run_or_not(block):
    for words in commands(block.text):
        if words[0] != "dsflash":
            continue
        try:
            PARSER.parse_args(words[1:2] if words[1] == "node" else words[1:])
        except SystemExit:
            pytest.fail(f"{block}: the command does not take {' '.join(words)}")


def test_commands_and_options_in_the_text_exist():
    unknown = []
    for page in pages():
        for code in page.inline_code:
            words = code.split()
            parser, name = parser_at(words[1:] if words[0] == "dsflash" else [])
            known = options_of(parser) | FOREIGN
            if words[0] == "dsflash" and words[1:] and not name and words[1] not in cli.RENAMED:
                unknown.append(f"{page}: {code}")
            unknown += [
                f"{page}: {code}"
                for word in words
                if re.match(r"--\w", word)
                and words[0] in ("dsflash", word)
                and word.partition("=")[0] not in known
            ]
    assert unknown == []


def test_settings_of_training_in_the_text_exist():
    configuration = pytest.importorskip("dsflash_ros.training.configuration")
    calibration = pytest.importorskip("dsflash_ros.training.diffusion.calibration_configuration")
    settings = {
        "segmenter": set(configuration.SegmenterConfig.model_fields),
        "relations": set(configuration.RelationConfig.model_fields),
        "calibration": set(calibration.CalibrationConfig.model_fields),
    }
    known, unknown = settings["segmenter"] | settings["relations"], []
    for block in SHELL:
        for words in commands(block.text):
            if words[:2] == ["dsflash", "train"]:
                keys = {word.partition("=")[0] for word in words if re.match(r"\w+=", word)}
                unknown += [f"{block}: {key}" for key in keys - settings[words[2]]]
    for code in read_page(ROOT / "docs/training.md").inline_code:
        setting = code.partition("=")[0]
        if re.match(r"[a-z_]+=", code) and code != "key=value" and setting not in known:
            unknown.append(code)
    assert unknown == []


def test_make_targets_and_scripts_exist():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    shell = [words for block in SHELL for words in commands(block.text)]
    inline = [code.split() for page in PROSE for code in page.inline_code]
    for words in [*shell, *inline]:
        if words[0] == "make":
            assert words[1] in targets
        if words[0] == "python" and words[1].endswith(".py"):
            script = (ROOT / words[1]).read_text()
            assert [w for w in words[2:] if w.startswith("--") and f'"{w}"' not in script] == []


def test_extras_exist():
    named = set()
    for page in PROSE:
        for text in [*page.inline_code, *(block.text for block in page.blocks)]:
            for extras in re.findall(r"'\.\[([\w,]+)\]'", text):
                named |= set(extras.split(","))
    declared = re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.M)
    assert named and named <= set(declared)


def test_modules_in_the_text_exist():
    for page in PROSE:
        for name in re.findall(r"\bdsflash_ros(?:\.\w+)+", "\n".join(page.lines)):
            module, _, last = name.rpartition(".")
            here = ROOT / name.replace(".", "/")
            if not (here.is_dir() or here.with_suffix(".py").exists()):
                assert hasattr(importlib.import_module(module), last), f"{page}: {name}"


def test_topics_of_the_node_are_documented_and_exist():
    node = docstring("dsflash_ros/ros/node.py")
    topics = set(re.findall(r"(?<!\S)((?:~?/)?[a-z_/]+) \(\w+_(?:msgs|srvs|ros)/", node))
    assert {"scene_graph", "~/overlay", "/diagnostics", "~/set_enabled"} <= topics
    tables = [NODE.table(f"{kind} topics") for kind in ("Subscribed", "Published")]
    tables.append(NODE.table("Services"))
    listed = {name for rows in tables for row in rows for name in re.findall(r"`([^`]+)`", row[0])}
    assert topics <= listed
    assert listed - topics == {"~/change_state"}


def test_topics_in_the_text_exist():
    told = docstring("dsflash_ros/ros/node.py") + docstring("dsflash_ros/cli/toyroom_camera.py")
    for page in PROSE:
        for code in page.inline_code:
            if re.fullmatch(r"~/\w+|/ground_truth/\w+|/tf|/diagnostics", code):
                assert code in told or code == "~/change_state", f"{page}: {code}"


def test_the_tables_of_topics_agree():
    rows = {row[0]: row[1] for row in NODE.table("Subscribed topics")[1:]}
    rows |= {row[0]: row[1] for row in NODE.table("Published topics")[1:]}
    for topic, kind, _ in README.table("On a robot")[1:]:
        assert rows[topic].startswith(kind)


def test_the_table_of_options_is_the_pipelines():
    rows = read_page(ROOT / "docs/library.md").table("Options")[1:]
    assert {row[0].strip("`"): row[1].strip("`") for row in rows} == {
        field.name: str(field.default) for field in fields(Options)
    }
    for name, default, limits, _ in rows:
        if limits:
            low, high = map(float, limits.split(" to "))
            kind = int if "." not in default and high > 1 else float
            option = name.strip("`")
            Options(**{option: kind(low)})
            Options(**{option: kind(high)})
            with pytest.raises(ValueError):
                Options(**{option: kind(high) + 1})


def test_parameters_and_launch_arguments_in_the_text_exist():
    files = ("launch/dsflash.launch.py", "launch/dsflash_replay.launch.py")
    arguments = {key.value for file in files for key in literal(file, "ARGUMENTS").keys}
    known = arguments | set(BY_NAME) | {"cameras"}
    for page in pages():
        for code in [*page.inline_code, *(block.text for block in page.blocks)]:
            assert set(re.findall(r"\b(\w+):=", code)) <= known, f"{page}: {code}"


def test_fields_of_messages_are_documented():
    text = "\n".join(NODE.lines)
    for path in (ROOT / "msg").glob("*.msg"):
        names = re.findall(r"^[\w/]+(?:\[\])? +(\w+)", path.read_text(), re.M)
        entry = re.search(rf"- \[{path.stem}\].*?(?=\n- |\n\n)", text, re.S)[0]
        assert names and set(names) <= set(re.findall(r"`(\w+)`", entry))


def test_the_line_of_json_has_the_keys_of_a_graph():
    block = next(b for b in read_page(ROOT / "docs/library.md").blocks if b.language == "json")
    node = Node(0, 0, "cup", True, 1.0, (0, 0, 1, 1), 1, (0.5, 0.5))
    graph = SceneGraph((node,), (Relation(0, 0, 0, "on", 1.0),), np.zeros((1, 1), np.int32))
    told, real = json.loads(block.text), graph.to_json()
    assert told.keys() == real.keys()
    for kind in ("nodes", "relations"):
        assert all(one.keys() == real[kind][0].keys() for one in told[kind])


def test_every_room_is_on_the_map_in_the_order_of_the_contract():
    package = ROOT / "dsflash_ros"
    rooms = {path.parent.name for path in package.glob("*/__init__.py")} - set(GENERATED)
    rooms |= {path.stem for path in package.glob("[a-z]*.py")}
    rows = read_page(ROOT / "docs/development.md").table("The rooms")[1:]
    listed = [re.findall(r"\(\.\./dsflash_ros/(\w+)", row[0]) for row in rows]
    layers = re.search(r"^layers = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.M | re.S)
    order = [re.findall(r"\w+", layer) for layer in re.findall(r'"(.+)"', layers[1])]
    level = {room: height for height, layer in enumerate(order) for room in layer}
    assert rooms <= {room for row in listed for room in row}
    heights = [max(level[room] for room in row) for row in listed if row[0] in level]
    assert heights == sorted(heights)


def test_every_comment_beside_a_block_belongs_to_one():
    """A comment with a typing error would be none."""
    for page in pages():
        text = (ROOT / page.path).read_text()
        marks = sum(len(block.marks) for block in page.blocks)
        assert text.count("<!--") == marks, f"{page}: a comment that is not above a code block"
