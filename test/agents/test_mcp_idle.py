"""`dsflash mcp --http` and clients that go without a word: others find room again."""

import socket
import time

import anyio
import pytest
from mcp_processes import COMMAND, HELLO, address_of, ended, post, started

pytest.importorskip("mcp")
pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from mcp import Client

INITIALIZE = HELLO.splitlines()[0]

SOON = """\
import sys
from dsflash_ros.agents import mcp_server
from dsflash_ros.cli import main
assert (mcp_server.MOST_IDLE_S, mcp_server.MOST_SILENT_S) == (120, 10)
mcp_server.MOST_IDLE_S = mcp_server.MOST_SILENT_S = 3
sys.exit(main(["mcp", *sys.argv[1:]]))
"""
"""The command, with a short patience."""


@pytest.fixture(scope="module")
def http():
    command = [COMMAND[0], "-c", SOON]
    process = started("--http", "--port", "0", "--topic", "/mcp_test/scene_graph", command=command)
    yield address_of(process)
    assert ended(process) == 143


def is_open(address):
    return post(address, INITIALIZE)[0] == 200


def is_soon_open(address):
    end = time.monotonic() + 20
    while not (found := is_open(address)) and time.monotonic() < end:
        time.sleep(0.2)
    return found


def test_sessions_that_were_left_make_room(http):
    assert not all(is_open(http) for _ in range(65))
    assert is_soon_open(http)


def test_connections_that_send_no_request_make_room(http):
    assert is_soon_open(http)
    port = int(http.split(":")[-1].split("/")[0])
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(64)]
    silent[0].sendall(b"POST /mcp HTTP/1.1\r\n")
    assert not is_open(http)
    assert is_soon_open(http)
    for one in silent:
        one.close()


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_client_that_thinks_for_long_goes_on(http, mode):
    assert is_soon_open(http)

    async def work():
        with anyio.fail_after(60):
            async with Client(http, mode=mode) as client:
                await client.list_tools()
                await anyio.sleep(7)
                return await client.list_tools()

    assert anyio.run(work).tools
