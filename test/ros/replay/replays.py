"""Replays, and what is in their bags."""

import json
from pathlib import Path

import pytest
from places import ROOT

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from rosbags.highlevel import AnyReader

from dsflash_ros.cli import main

DRIVE = ROOT / "examples" / "drive"


QUICK = ("--weights", "toyroom", "--device", "cpu", "--precision", "float32", "--no-overlay")


def replay(*arguments):
    return main(["replay", *map(str, arguments)])


def messages(bag):
    """(topic, type, when, bytes) of all messages of a bag, in order."""
    with AnyReader([Path(bag)]) as reader:
        return [(c.topic, c.msgtype, when, bytes(data)) for c, when, data in reader.messages()]


def of(bag, topic):
    with AnyReader([Path(bag)]) as reader:
        chosen = [c for c in reader.connections if c.topic == topic]
        return [reader.deserialize(data, c.msgtype) for c, _, data in reader.messages(chosen)]


def stamp(message):
    header = message.header
    return header.stamp.sec, header.stamp.nanosec, header.frame_id


def lines(folder):
    return [json.loads(line) for line in (folder / "scene_graph.jsonl").read_text().splitlines()]


def without_latency(line):
    return {key: value for key, value in line.items() if key != "latency_ms"}
