"""A node process and a ROS client for tests: real processes over DDS on the loopback interface."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest


def eventually(condition, timeout_s=20.0):
    """The condition's first true value. Fails when there is none in time."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.02)
    pytest.fail(f"still not so after {timeout_s} s")


def ended(process, code=0, timeout_s=120):
    """What a child process printed, on stdout and stderr, after it ended with that code."""
    out, error = process.communicate(timeout=timeout_s)
    assert process.returncode == code, out + error
    assert "Traceback" not in error
    return out, error


# `dsflash_node`, but that tests need not wait a second for each report on /diagnostics
PROGRAM = """
import sys
from dsflash_ros.ros import main, node
node.REPORT_PERIOD_S = 0.1
sys.exit(main.main())
"""


class NodeProcess:
    """`dsflash_node` as a child process, its output in a file."""

    def __init__(self, log, parameters, arguments=(), environment=()):
        settings = [
            word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")
        ]
        self.log = log
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, "--ros-args", *settings, *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                # one thread, because several processes whose threads wait for each other crawl on a
                # few cores
                env=os.environ | {"OMP_NUM_THREADS": "1"} | dict(environment),
            )

    @property
    def output(self):
        return self.log.read_text()

    @property
    def pid(self):
        return self.process.pid

    def wait_for_output(self, text, timeout_s=60.0):
        def there():
            return text in self.output or self.process.poll() is not None

        eventually(there, timeout_s)
        assert text in self.output, self.output
        return self

    def end(self, number=signal.SIGINT, timeout_s=10.0):
        """Send the signal. Returns (exit code, seconds until the process had ended)."""
        start = time.monotonic()
        self.process.send_signal(number)
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            pytest.fail(f"still there {timeout_s} s after the signal: {self.output}")
        return code, time.monotonic() - start


class Client:
    """What the tests themselves do on ROS: publish, subscribe, call."""

    def __init__(self):
        import rclpy
        from rclpy.executors import SingleThreadedExecutor

        from dsflash_ros.ros.process.transport import prepare_transport

        prepare_transport()
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node("tester", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin)
        self._ended = threading.Event()
        self._thread.start()

    def _spin(self):
        while not self._ended.is_set():
            self.executor.spin_once(timeout_sec=0.05)

    def close(self):
        self._ended.set()
        self._thread.join()
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()

    def subscribe(self, message_type, topic, qos=10):
        """A list that fills with the messages, and the subscription."""
        messages = []
        subscription = self.node.create_subscription(message_type, topic, messages.append, qos)
        return messages, subscription

    def publisher(self, message_type, topic, qos=1):
        """A publisher of that topic which the node has found."""
        publisher = self.node.create_publisher(message_type, topic, qos)
        eventually(lambda: publisher.get_subscription_count())
        return publisher

    def call(self, service_type, name, request, timeout_s=60.0):
        client = self.node.create_client(service_type, name)
        assert client.wait_for_service(timeout_s), f"no service {name}"
        future = client.call_async(request)
        eventually(future.done, timeout_s)
        self.node.destroy_client(client)
        return future.result()

    def set_parameter(self, name, value):
        """Set a parameter of /dsflash. Returns rcl_interfaces/SetParametersResult."""
        from rcl_interfaces.srv import SetParameters
        from rclpy.parameter import Parameter

        request = SetParameters.Request(
            parameters=[Parameter(name, value=value).to_parameter_msg()]
        )
        return self.call(SetParameters, "/dsflash/set_parameters", request).results[0]

    def change_state(self, label):
        """Ask /dsflash for that lifecycle transition. Returns whether it succeeded."""
        from lifecycle_msgs.srv import ChangeState

        request = ChangeState.Request()
        request.transition.label = label
        return self.call(ChangeState, "/dsflash/change_state", request).success


def image_message(number, width=64, height=48, **fields):
    """An rgb8 image whose stamp is `number` seconds and nanoseconds that a float could not hold."""
    from sensor_msgs.msg import Image

    message = Image(width=width, height=height, encoding="rgb8", step=3 * width)
    pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
    message.data = pixels.tobytes()
    message.header.stamp.sec = number
    message.header.stamp.nanosec = 123_456_789
    message.header.frame_id = f"camera_{number}"
    for name, value in fields.items():
        setattr(message, name, value)
    return message


class Reports:
    """What /diagnostics says."""

    def __init__(self, client):
        from diagnostic_msgs.msg import DiagnosticArray

        self.reports, _ = client.subscribe(DiagnosticArray, "/diagnostics")

    def report(self, part, condition=lambda status, values: True, timeout_s=10.0):
        """The first status of that part, from now on, that satisfies the condition.

        Returned with its values as a dict.
        """
        seen = len(self.reports)

        def there():
            for status in (
                s for r in self.reports[seen:] for s in r.status if s.name == f"dsflash: {part}"
            ):
                values = {pair.key: pair.value for pair in status.values}
                if condition(status, values):
                    return status, values

        return eventually(there, timeout_s)

    def count(self, what):
        """That count of frames, from a report that is made after the call."""
        return int(self.report("frames")[1][f"frames {what}"])


class Camera(Reports):
    """Sends images to a running node and looks at what comes back."""

    def __init__(self, client, node, message_type=None, topic="/image"):
        from sensor_msgs.msg import Image

        from dsflash_ros.msg import SceneGraph

        super().__init__(client)
        self.node = node
        self.client = client
        self.graphs, _ = client.subscribe(SceneGraph, "/scene_graph")
        self.images = client.publisher(message_type or Image, topic, 10)
        self.number = 100
        self._wait_until_found(topic)

    def _wait_until_found(self, topic):
        """Wait until the node, too, knows of the subscription and the publisher.

        It would not get a best-effort image before.
        """
        others = {
            "image publishers": str(self.client.node.count_publishers(topic)),
            "graph subscribers": str(self.client.node.count_subscribers("/scene_graph")),
        }
        self.report("frames", lambda _, values: others.items() <= values.items(), 20.0)

    def send(self, **fields):
        """Publish a random image, a second younger than the last, with these fields changed."""
        self.number += 1
        message = image_message(self.number, **fields)
        self.images.publish(message)
        return message

    def graph_of(self, message):
        return eventually(
            lambda: [graph for graph in self.graphs if graph.header == message.header]
        )[0]
