"""`dsflash mcp` as a process, for tests."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request

COMMAND = [sys.executable, "-m", "dsflash_ros.cli", "mcp"]


def started(*arguments, command=COMMAND):
    """The process, with pipes."""
    return subprocess.Popen(
        [*command, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def address_of(process):
    """Where a server says that it serves HTTP."""
    for line in process.stderr:
        if b"serving on http" in line:
            # nobody reads the rest, which must not fill the pipe
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return line.decode().split()[-1]
    raise AssertionError("it ended without saying where it serves")


def ended(process, number=signal.SIGTERM):
    """Send a signal; returns the exit code."""
    process.send_signal(number)
    return process.wait(20)


def request(number, method, **params):
    """A line of JSON-RPC."""
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return json.dumps(message).encode() + b"\n"


def call(number, tool, **arguments):
    """A line that calls a tool."""
    return request(number, "tools/call", name=tool, arguments=arguments)


HELLO = (
    request(
        0,
        "initialize",
        protocolVersion="2025-06-18",
        capabilities={},
        clientInfo={"name": "test", "version": "1"},
    )
    + b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n'
)


def greeted():
    """A server over stdio that a client has greeted."""
    process = started("--topic", "/mcp_test/scene_graph")
    process.stdin.write(HELLO)
    process.stdin.flush()
    assert answer(process, 0)["result"]["serverInfo"]["name"] == "dsflash"
    return process


def answer(process, number):
    """The answer to that request; what comes before it is left out."""
    for line in process.stdout:
        message = json.loads(line)
        if message.get("id") == number:
            return message
    raise AssertionError(process.stderr.read())


def still_answers(process, number=99):
    process.stdin.write(call(number, "query", question="?x on"))
    process.stdin.flush()
    assert "see >>> in" in answer(process, number)["result"]["content"][0]["text"]


REFUSED = -1


def post(address, body, **headers):
    """Status and text of the answer."""
    given = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    question = urllib.request.Request(address, body, given | headers)
    try:
        with urllib.request.urlopen(question, timeout=20) as found:
            return found.status, found.read().decode()
    except urllib.error.HTTPError as error:
        # the server may hang up while the question is still being sent
        with contextlib.suppress(ConnectionError):
            return error.code, error.read().decode()
        return error.code, ""
    except (urllib.error.URLError, ConnectionError) as error:
        assert isinstance(getattr(error, "reason", error), ConnectionError), error
        return REFUSED, ""
