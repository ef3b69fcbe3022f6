"""rerun's server, which hands recordings and the viewer itself to browsers."""

import ctypes
import errno
import ipaddress
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from dsflash_ros.errors import OutputError

LOOPBACK = "127.0.0.1"

_START_S = 20.0
_POLL_S = 0.05
_PR_SET_PDEATHSIG = 1


class RerunServer:
    """A process that serves the viewer's page on `port`, and the recordings on `port` + 1.

    (rerun could serve from within this process, but only on all interfaces.)

    Attributes:
        page: the address that a browser opens.
        target: where a recording connects.
    """

    def __init__(self, address: str = LOOPBACK, port: int = 9090, memory_mib: int = 512) -> None:
        """Start it, and return when it answers.

        Args:
            address: of the interface that it listens on; 0.0.0.0 and :: are all.
            port: of the page; the next one is of the recordings.
            memory_mib: the oldest frames are dropped when recordings need more.

        Raises `OutputError` when the address is none of this machine, or a port is taken.
        """
        host, here = _hosts(address)
        for number in (port, port + 1):
            _check_port(address, number)
        self.target = f"rerun+http://{here}:{port + 1}/proxy"
        recordings = quote(f"rerun+http://{host}:{port + 1}/proxy", safe="")
        self.page = f"http://{host}:{port}/?url={recordings}"
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        command = [_program(), "--serve-web", "--bind", address, "--port", str(port + 1)]
        command += ["--web-viewer-port", str(port), "--server-memory-limit", f"{memory_mib}MiB"]
        command += ["--cors-allow-origin", f"http://{host}:{port}"]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,  # Ctrl-C is for us, who end it
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
        try:
            self._wait([(here.strip("[]"), number) for number in (port, port + 1)])
        except BaseException:
            self.close()
            raise

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        """End it; nothing when it has ended already."""
        self._process.kill()  # it has nothing to save, and would wait for open pages
        self._process.wait()
        self._log.close()

    def _wait(self, places: list[tuple[str, int]]) -> None:
        end = time.monotonic() + _START_S
        while not all(map(_answers, places)):
            if not self.is_running or time.monotonic() > end:
                raise OutputError(f"rerun's server does not start: {self._last_line()}")
            time.sleep(_POLL_S)

    def _last_line(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it says nothing")


def _hosts(address: str) -> tuple[str, str]:
    """What stands for the address in that of a page: for other machines, and for this one."""
    try:
        number = ipaddress.ip_address(address)
    except ValueError as error:
        raise OutputError(
            f"{address!r} is no address: give 127.0.0.1 (this machine alone), 0.0.0.0 (all "
            "interfaces), or the one of an interface"
        ) from error
    bracketed = f"[{address}]" if number.version == 6 else address
    if number.is_unspecified:
        return socket.gethostname(), "[::1]" if number.version == 6 else LOOPBACK
    return bracketed, bracketed


def _check_port(address: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OverflowError as error:
            raise OutputError(f"there is no port {port}: give another --port") from error
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                raise OutputError(
                    f"the port {port} of {address} is taken or not allowed: give another --port"
                ) from error
            raise OutputError(f"cannot listen on {address}: {error.strerror}") from error


def _answers(place: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(place, timeout=1):
            return True
    except OSError:
        return False


def _program() -> str:
    """The path of rerun's program, which comes with its package."""
    found = find_spec("rerun_cli")
    folders = found.submodule_search_locations if found else None
    path = Path(next(iter(folders or [""])), "rerun")
    if not path.is_file():
        raise OutputError(
            "rerun's program is not there: pip install --force-reinstall rerun-sdk, or give --save"
        )
    return os.fspath(path)


def _end_with_parent() -> None:
    """In the child: end when the parent does, however that ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
