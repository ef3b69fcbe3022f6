"""What `dsflash mcp` answers over stdin and stdout to lines that are no request, and to requests
beside them; a server that counted them as open would read no more after 64.
"""

import json
import threading
import time

import pytest
from mcp_processes import call, greeted, request, still_answers

pytest.importorskip("mcp")
pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

PARSE_ERROR, INVALID_REQUEST = -32700, -32600

NO_MESSAGES = [
    (b"hello", PARSE_ERROR),
    (b"\xff\xfe\x00\x01", PARSE_ERROR),
    (b"[" * 50_000, PARSE_ERROR),
    (b'"' + b"x" * (1 << 20) + b'"', PARSE_ERROR),
    (b'{"jsonrpc": "2.0", "method": "ping", "id": 1' + b"0" * 5000 + b"}", PARSE_ERROR),
    (b"{}", INVALID_REQUEST),
    (b"[1]", INVALID_REQUEST),
    (b'{"jsonrpc": "2.0", "id": 5}', INVALID_REQUEST),
    (b'{"jsonrpc": "2.0", "id": 5, "result": 7}', INVALID_REQUEST),
    (b'{"jsonrpc": "2.0", "id": [1], "method": "ping"}', INVALID_REQUEST),
    (b'{"jsonrpc": "2.0", "id": true, "method": "ping"}', INVALID_REQUEST),
    (b'{"jsonrpc": "2.0", "id": NaN, "method": "ping"}', INVALID_REQUEST),
    (b'{"jsonrpc": "2.0", "method": "notifications/progress", "params": "x"}', INVALID_REQUEST),
]
"""Without an id that could be told, and the code of the answer."""

WITH_ID = [
    '{"jsonrpc": "2.0", "id": %d.5, "method": "ping"}',
    '{"jsonrpc": "2.0", "id": %d.0, "method": "ping"}',
    '{"jsonrpc": "2.0", "id": "caf\\ud83d%d", "method": "ping"}',
    '{"jsonrpc": "2.0", "id": %d, "method": "ping", "params": {"text": "caf\\ud83d"}}',
    '{"id": %d, "method": "ping"}',
    '{"jsonrpc": "1.0", "id": %d, "method": "ping"}',
    '{"id": 1%d' + "0" * 400 + ', "method": "ping"}',
    '{"jsonrpc": "2.0", "id": %d, "method": "ping", "params": [1]}',
    '{"jsonrpc": "2.0", "id": "a%d", "method": "ping", "params": "x"}',
    '{"jsonrpc": "2.0", "id": %d, "method": 7}',
    '{"jsonrpc": "2.0", "id": %d, "method": "ping", "error": {"code": 1, "message": "x"}}',
]


@pytest.fixture(scope="module")
def server():
    process = greeted()
    watch = threading.Timer(120, process.kill)  # or a deaf server would be waited for without end
    watch.start()
    yield process
    process.stdin.close()
    assert process.wait(20) == 0
    watch.cancel()


def answers(process, count):
    """Of so many lines: id, and code of the error or None."""
    messages = [json.loads(process.stdout.readline()) for _ in range(count)]
    return [(one["id"], one.get("error", {}).get("code")) for one in messages]


def test_every_line_that_is_no_message_is_answered(server):
    for line, code in NO_MESSAGES:
        server.stdin.write(b"\n \r\n" + line + b"\n")  # empty lines are no messages, and no errors
        server.stdin.flush()
        assert answers(server, 1) == [(None, code)], line[:80]
    still_answers(server)


def test_requests_that_cannot_be_are_answered_with_their_id_and_take_no_room(server):
    for number in range(100, 110):
        lines = [text % number for text in WITH_ID]
        server.stdin.write("".join(f"{line}\n" for line in lines).encode())
        server.stdin.flush()
        expected = [(json.loads(line)["id"], INVALID_REQUEST) for line in lines]
        assert answers(server, len(lines)) == expected
    still_answers(server)


def test_answers_do_not_mix_on_the_wire(server):
    for number in range(50):
        server.stdin.write(call(number, "query", question="?x on") + b"hello\n")
    server.stdin.flush()
    found = answers(server, 100)
    assert sorted(number for number, _ in found if number is not None) == list(range(50))
    assert sum(code == PARSE_ERROR for _, code in found) == 50


def test_requests_that_are_cancelled_by_a_number_or_its_text_take_no_room(server):
    for number in range(1000, 1100):
        for one, other in ((number, str(number)), (str(number), number)):
            server.stdin.write(call(one, "wait_for", question="?x:cup", timeout_s=0.5))
            server.stdin.write(cancellation(other))
    server.stdin.flush()
    time.sleep(1.0)  # longer than they would have waited
    still_answers(server)


def cancellation(number):
    message = json.loads(request(None, "notifications/cancelled", requestId=number))
    del message["id"]
    return json.dumps(message).encode() + b"\n"
