"""What looking costs: when a graph is sent to the viewer, and the node's rate with and without one.

    python benchmarks/view.py [BAG] [--seconds 20] [--repeat 3] [--browser] [--json FILE]

A camera plays the bag faster than the node works, and this process counts the node's graphs, in
turn without a viewer, with `dsflash view`, and, with --browser, with a headless Chromium that shows
its page, too (it draws without a GPU, which takes what a GPU would do from the cores).
"""

import argparse
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import rclpy

from dsflash_ros.argument_types import positive, positive_float
from dsflash_ros.bench.results import store
from dsflash_ros.machine import machine
from dsflash_ros.msg import SceneGraph
from dsflash_ros.ros.process.transport import prepare_transport
from dsflash_ros.text_tables import Row, show

PORT, CAMERA_HZ = 19090, 30.0
START_S, WARM_UP_S, LOAD_S = 120.0, 3.0, 30.0
RATES = {"view": 10.0, "view of all": 1000.0}
"""Of --rate: the default, and more than there are."""

SENT = re.compile(r"each sent ([\d.]+) ms \(median; 95 %: ([\d.]+)\)")


class Counter:
    """Counts the graphs that the node publishes."""

    def __init__(self) -> None:
        prepare_transport()
        rclpy.init(args=[])
        self._node, self._count = rclpy.create_node("counter"), 0
        self._node.create_subscription(SceneGraph, "scene_graph", self._take, 10, raw=True)

    def rate(self, seconds: float) -> float:
        """Graphs a second, over that time."""
        self._count, start = 0, time.monotonic()
        while time.monotonic() < start + seconds:
            rclpy.spin_once(self._node, timeout_sec=0.1)
        return self._count / (time.monotonic() - start)

    def wait(self) -> None:
        """Return when graphs come."""
        end = time.monotonic() + START_S
        while self.rate(1.0) == 0:
            if time.monotonic() > end:
                raise SystemExit("no graph came")

    def _take(self, _: bytes) -> None:
        self._count += 1


@contextmanager
def process(log: Path, *words: object) -> Iterator[Path]:
    """`dsflash` with these words, its output in the file `log`. Ended by Ctrl-C."""
    command = [sys.executable, "-u", "-m", "dsflash_ros.cli", *map(str, words)]
    with log.open("w") as output:
        running = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield log
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(20)


@contextmanager
def opened_page(address: str, width: int = 1280, height: int = 800) -> Iterator:
    """A page of playwright in a headless Chromium, after the time that it takes to load."""
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=arguments)
        size = {"width": width, "height": height}
        page = browser.new_page(viewport=size, color_scheme="dark")
        page.goto(address, timeout=START_S * 1000)
        page.wait_for_timeout(LOAD_S * 1000)
        yield page
        browser.close()


def page_in(log: Path) -> str:
    """The page's address, once it is printed."""
    end = time.monotonic() + START_S
    while not (found := re.search(r"look at (http\S+)", log.read_text())):
        if time.monotonic() > end:
            raise SystemExit(f"no page: {log.read_text()}")
        time.sleep(0.1)
    return found[1]


def look(
    counter: Counter, log: Path, seconds: float, rate: float, has_browser: bool
) -> tuple[float, ...]:
    """The node's rate while graphs are looked at, and ms until they are sent: median, 95 %."""
    words = ("view", "--topic", "image", "--no-browser", "--port", PORT, "--rate", rate)
    viewer = process(log, *words)
    with viewer, ExitStack() as stack:
        page = page_in(log)
        if has_browser:
            stack.enter_context(opened_page(page))
        counter.rate(WARM_UP_S)
        rate = counter.rate(seconds)
    sent = SENT.search(log.read_text())
    if not sent:
        raise SystemExit(f"nothing was sent: {log.read_text()}")
    return rate, float(sent[1]), float(sent[2])


def measure(
    counter: Counter, log: Path, seconds: float, repeat: int, has_browser: bool
) -> list[Row]:
    """Medians over rounds in which each way has its turn."""
    rounds: dict[str, list[tuple[float, ...]]] = {name: [] for name in ("nobody", *RATES)}
    if has_browser:
        rounds["view and browser"] = []
    for _ in range(repeat):
        for name, found in rounds.items():
            if name == "nobody":
                counter.rate(WARM_UP_S)
                found.append((counter.rate(seconds),))
            else:
                rate = RATES.get(name, min(RATES.values()))
                found.append(look(counter, log, seconds, rate, name not in RATES))
    alone = [one[0] for one in rounds["nobody"]]
    rows = []
    for name, found in rounds.items():
        lost = median(1 - one[0] / other for one, other in zip(found, alone, strict=True))
        row: Row = {"looks": name, "graphs/s": round(median(one[0] for one in found), 2)}
        row["taken %"] = round(100 * lost, 1)
        for place, title in ((1, "sent after ms"), (2, "95 % ms")):
            has = name != "nobody"
            row[title] = round(median(one[place] for one in found), 1) if has else "-"
        rows.append(row)
    return rows


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bag", nargs="?", type=Path, default=Path("examples/drive"))
    parser.add_argument("--seconds", type=positive_float, default=20.0)
    parser.add_argument("--repeat", type=positive, default=3)
    parser.add_argument("--browser", action="store_true", help="also with a page that is open")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    on, counter = machine(), Counter()
    play = ("play", args.bag, "--loop", "--rate", CAMERA_HZ)
    with tempfile.TemporaryDirectory() as folder:
        logs = [Path(folder, name) for name in ("node", "play", "view")]
        node = process(logs[0], "node", "--ros-args", "-p", "target_frame:=map")
        with node, process(logs[1], *play):
            counter.wait()
            rows = measure(counter, logs[2], args.seconds, args.repeat, args.browser)
    show(f"{args.bag}", rows)
    if args.json:
        settings = {"bag": args.bag.name, "seconds": args.seconds, "repeat": args.repeat}
        store(args.json, "view", settings | {"camera Hz": CAMERA_HZ}, rows, on)


if __name__ == "__main__":
    main()
