"""The process that hands recordings and rerun's viewer to browsers."""

import subprocess
import sys
import time

import pytest

pytest.importorskip("rerun", reason="needs rerun-sdk")

from rerun_files import free_port

from dsflash_ros.errors import OutputError
from dsflash_ros.sinks.rerun_server import RerunServer


@pytest.fixture(scope="module")
def server():
    server = RerunServer(port=free_port())
    yield server
    server.close()


def listening(pid):
    """The addresses on which a process listens."""
    psutil = pytest.importorskip("psutil")
    connections = psutil.Process(pid).net_connections("inet")
    return {one.laddr.ip for one in connections if one.status == psutil.CONN_LISTEN}


def test_the_server_listens_on_this_machine_alone(server):
    assert listening(server._process.pid) == {"127.0.0.1"}
    assert server.page.startswith("http://127.0.0.1:") and server.is_running


def test_a_port_that_is_taken_is_told(server):
    port = int(server.page.split(":")[2].split("/")[0])
    for asked in (port, port - 1):
        with pytest.raises(OutputError, match=rf"port {port} of 127.0.0.1 is taken .*--port"):
            RerunServer(port=asked)


@pytest.mark.parametrize(
    ("address", "port", "sentence"),
    [
        ("localhost", 9090, "'localhost' is no address: give 127.0.0.1"),
        ("8.8.8.8", 9090, "cannot listen on 8.8.8.8"),
        ("127.0.0.1", 65535, "there is no port 65536: give another --port"),
    ],
)
def test_impossible_places_are_told(address, port, sentence):
    with pytest.raises(OutputError, match=sentence):
        RerunServer(address, port)


def test_the_server_ends_with_its_parent_even_when_that_is_killed():
    psutil = pytest.importorskip("psutil")
    program = f"""
import time
from dsflash_ros.sinks.rerun_server import RerunServer
server = RerunServer(port={free_port()})
print(server._process.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    end = time.monotonic() + 10
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end
        time.sleep(0.05)
