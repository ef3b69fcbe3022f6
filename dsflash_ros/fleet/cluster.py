"""Ray: a cluster that runs already, or one of this machine alone, and models on it."""

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when Ray is imported

import ray
from ray.exceptions import RayError

from dsflash_ros.errors import DeviceError, FleetError, first_line
from dsflash_ros.files import expand
from dsflash_ros.fleet.model_worker import ModelWorker
from dsflash_ros.option import Value
from dsflash_ros.threads import usable_cores

ANSWER_S = 20.0
"""So long an address may take to answer."""

FREE_S = 60.0
"""So long cores and GPUs that others use are waited for."""

_STORE_BYTES = 1_000_000_000
"""Of images and graphs on their way, where Ray is started here; more of them go to the disk."""

_log = logging.getLogger(__name__)


@contextmanager
def cluster(address: str) -> Iterator[None]:
    """Connect to Ray at `address`; empty: start it on this machine, and end it.

    An address is HOST:PORT, or `auto` for the cluster that this machine is part of.

    Raises `FleetError` when nothing answers there.
    """
    own = {"num_cpus": usable_cores(), "object_store_memory": _STORE_BYTES}
    if address:
        _check_answer(address)
        own = {"address": address}
    try:
        with _signals_kept():
            ray.init(**own, include_dashboard=None if address else False, logging_level="ERROR")
    except Exception as error:  # Ray raises RuntimeError, ConnectionError, ValueError, …
        raise FleetError(f"Ray cannot be used: {first_line(error)}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _check_answer(address: str) -> None:
    """Ray itself waits for minutes, so a process that can be ended tries it first."""
    if address != "auto":
        _check_port(address)
    code = "import ray, sys; ray.init(sys.argv[1], log_to_driver=False, logging_level='ERROR')"
    command = [sys.executable, "-c", code, address]
    try:
        done = subprocess.run(command, stderr=subprocess.PIPE, timeout=ANSWER_S)
        failed, said = done.returncode != 0, done.stderr
    except subprocess.TimeoutExpired as error:
        failed, said = True, error.stderr or b""
    if not failed:
        return
    lines = said.decode(errors="replace").strip().splitlines()
    if "InvalidAuthToken" in "".join(lines):
        raise FleetError(
            f"the Ray at {address} asks for a token: set RAY_AUTH_MODE=token, and have its token "
            "in ~/.ray/auth_token"
        )
    if lines and re.match(r"[\w.]*(Error|Exception): ", lines[-1]):
        raise FleetError(f"the Ray at {address} cannot be used: {lines[-1]}")
    raise FleetError(f"what answers at {address} is no Ray, or it is stuck")


def _check_port(address: str) -> None:
    found = re.fullmatch(r"\[?([^\[\]/\s]+)\]?:(\d{1,5})", address)
    if not found:
        raise FleetError(f"{address} is no address of Ray: give auto or HOST:PORT, as in head:6379")
    try:
        socket.create_connection((found[1], int(found[2])), timeout=5).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FleetError(
            f"no Ray answers at {address} ({reason}): start one there with `ray start --head`"
        ) from error


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray replaces what SIGTERM does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def start_workers(choice: Mapping[str, Value], for_trackers: bool, cores: int) -> list:
    """Handles of `ModelWorker` actors, as many as the cluster has room for.

    Each has a GPU, where the cluster has some and the device is not the CPU, and so many cores.
    One that is lost is started anew. `choice` and `for_trackers` are as of `ModelWorker`.

    Raises:
        FleetError: there is no room.
        DeviceError: a GPU is asked for and there is none.
    """
    count, gpus = _room(choice["device"], cores)
    choice = dict(choice)
    choice["device"] = "cuda" if gpus else "cpu"
    choice["threads"] = choice["threads"] or cores
    if (weights := expand(choice["weights"])).exists():
        choice["weights"] = str(weights.absolute())  # workers have other working folders
    actor = ray.remote(ModelWorker).options(
        num_cpus=cores, num_gpus=gpus, max_restarts=-1, max_task_retries=0
    )
    workers = [actor.remote(choice, for_trackers) for _ in range(count)]
    asked = {worker.is_here.remote(): worker for worker in workers}
    here, missing = ray.wait(list(asked), num_returns=count, timeout=FREE_S)
    for answer in missing:
        ray.kill(asked[answer])
    if not here:
        raise FleetError(
            f"all cores of the Ray cluster are in use: no model had room in {FREE_S} s"
        )
    if missing:
        _log.warning("%d of %d models have no room: others use the cluster", len(missing), count)
    return [asked[answer] for answer in here]


def _room(device: str, cores: int) -> tuple[int, int]:
    """How many models there can be, and the GPUs of each."""
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    by_cores = [int(machine.get("CPU", 0)) // cores for machine in machines]
    if not sum(by_cores):
        most = max((int(machine.get("CPU", 0)) for machine in machines), default=0)
        raise FleetError(f"no machine of the Ray cluster has {cores} cores, at most {most}")
    by_gpus = [int(machine.get("GPU", 0)) for machine in machines]
    if device.startswith("cuda:"):
        raise DeviceError(f"--device {device} is of one machine: with --ray give cuda, cpu or auto")
    if device == "cpu" or (device == "auto" and not sum(by_gpus)):
        return sum(by_cores), 0
    if not sum(by_gpus):
        raise DeviceError("the Ray cluster has no GPU: give --device cpu, or auto")
    return sum(map(min, by_cores, by_gpus)), 1


def told(error: RayError) -> Exception:
    """What was raised on another machine, where it is an error of ours, else what Ray says."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, Exception) else FleetError(first_line(error))
