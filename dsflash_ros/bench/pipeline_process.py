"""A process with a pipeline that measures when it is asked to; `frame_server` runs in it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from dsflash_ros.errors import DSFlashError
from dsflash_ros.threads import SPINNING


class PipelineProcess:
    """Starts the process; `wait_until_ready` before anything else. A context that ends it.

    Args:
        settings: the pipeline's options by name, and `source` and `size` of the frames.
        environment: `NAME=VALUE` to have in its environment; empty for nothing special.
        group: folder of the control group that it joins; None for that of this process.

    Attributes:
        threads: how many its PyTorch computes with.
    """

    def __init__(
        self, settings: dict[str, object], environment: str = "", group: Path | None = None
    ) -> None:
        joined = None if group is None else str(group)
        sent = json.dumps({**settings, "parent": os.getpid(), "group": joined})
        self.threads = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dsflash_ros.bench.frame_server", sent],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=_environment_with(environment),
        )

    def __enter__(self) -> "PipelineProcess":
        return self

    def __exit__(self, *_) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def wait_until_ready(self) -> None:
        """Wait until the model is loaded. Raises `DSFlashError` when that fails."""
        self.threads = self._answer()["threads"]

    def rate(self, seconds: float) -> float:
        """Frames a second, measured for that long. Raises `DSFlashError` when the process ends."""
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()
        answer = self._answer()
        return answer["frames"] / answer["seconds"]

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            raise DSFlashError("the pipeline of the benchmark ended; see what it said above")
        answer = json.loads(line)
        if "error" in answer:
            raise DSFlashError(answer["error"])
        return answer


def _environment_with(assignment: str) -> dict[str, str]:
    """The environment as the user has it, without what we set for OpenMP, and with one thing more.

    What we set would hide what the user wants to compare.
    """
    environment = {k: v for k, v in os.environ.items() if SPINNING.get(k) != v}
    if assignment:
        name, _, value = assignment.partition("=")
        environment[name] = value
    return environment
