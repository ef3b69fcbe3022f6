"""A signal ends the process soon and cleanly, whatever it is doing; what cannot start says why."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from harness import image_message
from places import ROOT

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from sensor_msgs.msg import Image

pytestmark = pytest.mark.slow

LIMIT_S = 2.0


def assert_clean_end(node, number):
    code, seconds = node.end(number)
    assert code == 0, node.output
    assert seconds < LIMIT_S
    assert "Traceback" not in node.output
    assert "Error" not in node.output


def segments(pid):
    """Files of Fast DDS's shared memory that the process has mapped."""
    return {
        m.path
        for m in psutil.Process(pid).memory_maps()
        if re.search(r"/fastrtps_[0-9a-f]{16}$", m.path)
    }


def test_in_the_midst_of_inference(client, start_node, slow_weights):
    node = start_node(weights=slow_weights).wait_for_output("active:")
    camera = client.publisher(Image, "/image")
    for frame in range(10):  # each would take a second or more
        camera.publish(image_message(frame))
        time.sleep(0.05)
    own = segments(node.pid) - segments(os.getpid())
    assert_clean_end(node, signal.SIGINT)
    assert own and not [path for path in own if Path(path).exists()]
    client.node.destroy_publisher(camera)


def test_in_the_midst_of_loading(start_node):
    node = start_node(weights="random-large").wait_for_output("loading the model")
    time.sleep(0.5)
    assert "active" not in node.output
    assert_clean_end(node, signal.SIGTERM)


def test_idle_and_nothing_left_in_shared_memory(start_node):
    alone = {
        "ROS_DOMAIN_ID": "9"
    }  # in a domain with neighbours it would have mapped their segments, too
    node = start_node(
        weights="random", environment=alone, arguments=["-r", "__ns:=/front"]
    ).wait_for_output("active:")
    assert "/front/image" in node.output
    mapped = segments(node.pid)
    assert mapped, "without the profile's shared memory this test would see nothing"
    assert_clean_end(node, signal.SIGINT)
    assert not [path for path in mapped if Path(path).exists()]


@pytest.mark.parametrize("argv", [["dsflash_node"], ["dsflash", "node"]])
def test_during_the_imports(argv):
    """Ctrl-C while rclpy is imported, which takes half a second."""
    program = (
        "import runpy, sys\n"
        "class Finder:\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name == 'rclpy':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Finder)\n"
        f"sys.argv = {argv}\n"
        f"runpy.run_path('{ROOT / 'scripts' / argv[0]}', run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 130
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("parameters", "arguments", "code", "sentence"),
    [
        (
            {"mask_threshold": 1.5},
            (),
            2,
            "parameter 'mask_threshold' must be a number with a decimal point from -1.0 to 1.0",
        ),
        ({"relation_threshold": "high"}, (), 2, "not 'high'"),
        ({}, ("--params-file", "/no/such.yaml"), 2, "/no/such.yaml"),
        ({}, ("--", "--frobnicate"), 2, "unknown arguments: --frobnicate"),
        ({}, ("--", "device:=cpu"), 2, "device:=cpu sets nothing here: for a parameter give"),
        ({"weights": "/no/such.safetensors"}, (), 1, "cannot configure: no weights at"),
        ({"device": "cuda:77"}, (), 1, "cannot configure: device 'cuda:77' was asked for"),
        ({"use_sim_time": "maybe"}, (), 2, "use_sim_time"),
        (
            {"qos_overrides./image.subscription.depth": -2, "weights": "random-large"},
            (),
            1,
            "cannot configure: cannot use the topic image with the given qos_overrides: ",
        ),
    ],
    ids=lambda value: next(iter(value), "") if isinstance(value, dict) else None,
)
def test_wrong_start_is_one_sentence_and_an_exit_code(
    start_node, parameters, arguments, code, sentence
):
    node = start_node(arguments=arguments, **parameters)
    assert node.process.wait(60.0) == code, node.output
    assert sentence in node.output
    assert "Traceback" not in node.output
    assert "loading the model" not in node.output
