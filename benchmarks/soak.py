"""Does the ROS node's memory stay the same? The node and `dsflash play --loop`, for an hour.

    python benchmarks/soak.py examples/drive --minutes 60 --ros-args -p precision:=float32

Every ten seconds a line: resident memory of both, KiB, by kind. `anonymous` is what the processes
allocated. `shared` is Fast DDS's: pages of other processes' segments, which are there anyway.
`files` are libraries, whose pages the kernel drops and reads again as it likes. In the end it says
how much the node's anonymous and shared memory grew after the first two minutes.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

KINDS = {"RssAnon": "anonymous", "RssShmem": "shared", "RssFile": "files"}
PERIOD_S = 10.0
WARM_UP_S = 120.0


def resident_kib(process: subprocess.Popen) -> dict[str, int]:
    """Resident memory by kind."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return {name: int(fields[field].split()[0]) for field, name in KINDS.items()}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", help="for dsflash play")
    parser.add_argument("--minutes", type=float, default=60.0, help="default: 60")
    parser.add_argument("--out", type=Path, default=Path("soak.csv"), help="default: soak.csv")
    parser.add_argument(
        "--ros-args",
        nargs=argparse.REMAINDER,
        default=[],
        help="for the node, as -p weights:=random",
    )
    args = parser.parse_args()
    # a domain of its own on this machine only
    environment = os.environ | {
        "ROS_DOMAIN_ID": str(10 + os.getpid() % 90),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    }
    command = [sys.executable, "-m", "dsflash_ros.cli"]
    processes = {
        "node": subprocess.Popen([*command, "node", "--ros-args", *args.ros_args], env=environment),
        "play": subprocess.Popen([*command, "play", args.source, "--loop"], env=environment),
    }
    start = time.monotonic()
    first = None
    try:
        with args.out.open("w", buffering=1) as out:
            columns = [f"{name} {kind}" for name in processes for kind in KINDS.values()]
            print("seconds", *columns, sep=",", file=out)
            while (seconds := time.monotonic() - start) < args.minutes * 60:
                for name, process in processes.items():
                    if process.poll() is not None:
                        print(f"{name} ended with exit code {process.returncode}", file=sys.stderr)
                        return 1
                memory = {name: resident_kib(process) for name, process in processes.items()}
                values = [value for kinds in memory.values() for value in kinds.values()]
                print(f"{seconds:.0f}", *values, sep=",", file=out)
                now = memory["node"]["anonymous"] + memory["node"]["shared"]
                if first is None and seconds >= WARM_UP_S:
                    first = now
                time.sleep(PERIOD_S)
    finally:
        for process in processes.values():
            process.terminate()
            process.wait()
    if first is not None:
        print(f"the node grew by {now - first} KiB after the first two minutes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
