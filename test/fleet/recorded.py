"""Replays of the example, and what they wrote, read by the package `mcap`."""

import json

import pytest
from places import ROOT

from dsflash_ros.cli import main

BUCKET = "drives"
DRIVE = ROOT / "examples" / "drive"

GIVEN = (
    *("--weights", "toyroom", "--device", "cpu", "--precision", "bfloat16"),
    *("--end", "3", "--target-frame", "map"),
    *("--no-latency", "--no-overlay"),
)


def replay(*arguments):
    return main(["replay", *map(str, arguments)])


def messages(folder):
    """(topic, type, when, bytes) of all messages of a replay, in order."""
    reader = pytest.importorskip("mcap.reader", reason="needs the package mcap")
    found = []
    for path in sorted((folder / "bag").glob("*.mcap")):
        with path.open("rb") as file:
            for schema, channel, message in reader.make_reader(file).iter_messages():
                found.append((channel.topic, schema.name, message.log_time, message.data))
    return found


def assert_same(folder, expected):
    """Message by message, and line by line."""
    assert len(messages(expected)) > 100
    assert messages(folder) == messages(expected)
    lines = (folder / "scene_graph.jsonl").read_text()
    assert lines == (expected / "scene_graph.jsonl").read_text()
    note = json.loads((folder / "replay.json").read_text())
    assert note["complete"] and note["graphs"] == len(lines.splitlines()) == 18
    visible = {path.name for path in folder.iterdir() if path.name[0] != "."}
    assert visible == {"bag", "scene_graph.jsonl", "replay.json"}
