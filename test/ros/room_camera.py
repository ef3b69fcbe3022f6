"""`dsflash toyroom camera` as a process, and the bags that it records."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")
pytest.importorskip("mujoco", reason="needs the extra 'toyroom'")

from rosbags.highlevel import AnyReader

from dsflash_ros.toyroom.physics.backend import choose_backend

SEED = 4_000_000_011
WIDTH, HEIGHT = 200, 150
ROOM = ("--seed", SEED, "--size", f"{WIDTH}x{HEIGHT}", "--rate", 8)

renders = pytest.mark.skipif(
    not choose_backend(), reason="needs a library to render with, such as OSMesa"
)


def start_camera(*arguments, environment=()):
    return subprocess.Popen(
        [sys.executable, "-m", "dsflash_ros.cli", "toyroom", "camera", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | dict(environment),
    )


def messages_of(bag, topic):
    with AnyReader([bag]) as reader:
        connections = [c for c in reader.connections if c.topic == topic]
        return [reader.deserialize(data, c.msgtype) for c, _, data in reader.messages(connections)]


def stamp(message):
    return message.header.stamp.sec, message.header.stamp.nanosec
