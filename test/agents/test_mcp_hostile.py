"""`dsflash mcp` and those who send it nonsense, flood it, stop it, or start it wrongly."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import time

import psutil
import pytest
from mcp_processes import (
    COMMAND,
    HELLO,
    REFUSED,
    address_of,
    call,
    ended,
    greeted,
    post,
    request,
    started,
    still_answers,
)

from dsflash_ros.cli import main

pytestmark = pytest.mark.slow

pytest.importorskip("mcp")
pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

NONSENSE = [
    b"\n",
    b"hello\n",
    b"{}\n",
    b"[]\n",
    b"null\n",
    b'{"jsonrpc": "2.0"}\n',
    b'{"jsonrpc": "2.0", "id": [1], "method": "x"}\n',
    b'{"jsonrpc": "2.0", "id": {}, "method": 7, "params": "x"}\n',
    b'{"jsonrpc": "2.0", "id": 5, "result": {}}\n',
    b'{"jsonrpc": "2.0", "id": 6, "method": "no/such"}\n',
    b'{"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": []}\n',
    b'{"jsonrpc": "2.0", "id": 8, "method": "tools/call", "params": {"name": {}}}\n',
    b"\xff\xfe\x00\x01\n",
    b"[" * 100_000 + b"\n",
    b'"' + b"x" * (3 << 20) + b'"\n',  # longer than a line may be
]


@pytest.fixture(scope="module")
def stdio():
    """One for all tests that leave it as it was; at last the client closes stdin."""
    process = greeted()
    yield process
    process.stdin.close()
    assert process.wait(20) == 0


def test_nonsense_over_stdio(stdio):
    for line in NONSENSE:
        stdio.stdin.write(line)
    still_answers(stdio)


def test_a_flood_over_stdio_fills_no_memory(stdio):
    """Whoever sends requests and reads no answer is not read any more."""
    still_answers(stdio)
    process = psutil.Process(stdio.pid)
    before = process.memory_info().rss
    number = stdio.stdin.fileno()
    flags = fcntl.fcntl(number, fcntl.F_GETFL)
    fcntl.fcntl(number, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    sent, rest, end = 0, b"", time.monotonic() + 3
    while time.monotonic() < end and sent < 100_000:
        rest = rest or call(1000 + sent, "query", question="?x on")
        try:
            rest = rest[os.write(number, rest) :]
            sent += not rest
        except BlockingIOError:
            time.sleep(0.05)
    fcntl.fcntl(number, fcntl.F_SETFL, flags)
    assert 100 < sent < 100_000  # it was held back
    assert process.memory_info().rss - before < 50 << 20
    asked = set(range(1000, 1000 + sent))
    while asked:  # in time all get their answer
        asked.discard(json.loads(stdio.stdout.readline())["id"])
    stdio.stdin.write(rest)
    still_answers(stdio, 5)


def test_requests_that_are_cancelled_do_not_fill_the_room(stdio):
    for number in range(200):
        stdio.stdin.write(call(1000 + number, "wait_for", question="?x:cup", timeout_s=0.5))
        cancel = {"requestId": 1000 + number}
        message = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancel}
        stdio.stdin.write(json.dumps(message).encode() + b"\n")
    stdio.stdin.flush()
    time.sleep(1.0)  # longer than they would have waited
    still_answers(stdio)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_end_it(number, code):
    process = greeted()
    process.stdin.write(call(1, "wait_for", question="?x:cup", timeout_s=60))
    process.stdin.flush()
    assert ended(process, number) == code
    assert b"Traceback" not in process.stderr.read()


@pytest.fixture(scope="module")
def http():
    process = started("--http", "--port", "0", "--topic", "/mcp_test/scene_graph")
    yield address_of(process)
    assert ended(process, signal.SIGINT) == 130


def test_nonsense_over_http(http):
    for body in NONSENSE[:-1]:
        status, text = post(http, body)
        assert 200 <= status < 500 and "Traceback" not in text, (body[:50], status, text)
    assert post(http, b"x" * (2 << 20))[0] in (413, REFUSED)
    assert post(http.replace("/mcp", "/etc/passwd"), b"{}")[0] == 404
    assert post(http, HELLO.splitlines()[0])[0] == 200


def test_web_pages_of_others_get_nothing(http):
    """A page in a browser on this machine, and a name that another made point here."""
    hello = HELLO.splitlines()[0]
    assert post(http, hello, Origin="http://evil.example")[0] == 403
    assert post(http, hello, Host="evil.example")[0] in (403, 421)


def test_it_listens_on_loopback_only(http):
    port = int(http.split(":")[-1].split("/")[0])
    addresses = {
        connection.laddr.ip
        for connection in psutil.net_connections("inet")
        if connection.laddr.port == port and connection.status == "LISTEN"
    }
    assert addresses == {"127.0.0.1"}


def test_a_flood_of_connections(http):
    """Further ones are refused, and it answers again when they are gone."""
    port = int(http.split(":")[-1].split("/")[0])
    flood = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
    assert post(http, HELLO.splitlines()[0])[0] in (200, 503, REFUSED)
    for one in flood:
        one.close()
    statuses = {post(http, HELLO.splitlines()[0])[0] for _ in range(5)}
    assert 200 in statuses


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["--host", "0.0.0.0"], 2, "--host goes with --http"),
        (["--track"], 2, "--track goes with a SOURCE"),
        (["--http", "--host", "192.0.2.1"], 1, "cannot listen on 192.0.2.1"),
        (["--http", "--port", "70000"], 1, "cannot listen on 127.0.0.1, port 70000"),
        (["--topic", "scene graph"], 1, "no name for a topic"),
        (["no_such_file.mp4"], 1, "no_such_file.mp4"),
    ],
)
def test_wrong_starts(arguments, code, problem, capsys):
    assert run(*arguments) == code
    out, err = capsys.readouterr()
    assert out == "" and problem in err


def test_a_port_that_is_taken(http, capsys):
    port = http.split(":")[-1].split("/")[0]
    assert run("--http", "--port", port) == 1
    assert f"cannot listen on 127.0.0.1, port {port}" in capsys.readouterr().err


def run(*arguments):
    """The exit code of the command, in this process."""
    try:
        return main(["mcp", *arguments])
    except SystemExit as end:  # argparse's
        return end.code


def test_other_machines_only_when_told():
    process = started("--http", "--host", "0.0.0.0", "--port", "0")
    warning = process.stderr.readline().decode()
    assert "there is no password" in warning
    address_of(process)
    assert ended(process) == 143


def test_without_the_package_the_extra_is_named():
    code = (
        "import sys; sys.modules['mcp'] = None; from dsflash_ros.cli import main\n"
        "sys.exit(main(['mcp']))"
    )
    done = subprocess.run([COMMAND[0], "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "pip install 'dsflash_ros[agent]'" in done.stderr


def test_a_request_is_no_code(stdio, tmp_path):
    path = tmp_path / "made"
    for number, text in enumerate(
        (f"__import__('pathlib').Path('{path}').touch()", f"$(touch {path})", f"`touch {path}`")
    ):
        stdio.stdin.write(call(100 + number, "query", question=text))
        stdio.stdin.write(request(200 + number, text))
    still_answers(stdio)
    assert not path.exists()
