"""A hub on this machine: as much of the protocol as huggingface_hub needs to get files."""

import contextlib
import hashlib
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """Serves `files`, {repository: {name: content}}; how it misbehaves can be changed at any time.

    Attributes:
        requests: (method, path, Range or None) of all that came in.
        cut_after: bytes after which a connection is cut, once for each entry.
        corrupt: names of files that are sent with one byte changed.
        gated: repositories whose terms must be accepted.
        status: answers everything with that code.
    """

    def __init__(self, files):
        self.files = files
        self.requests, self.cut_after = [], []
        self.corrupt, self.gated, self.status = set(), set(), None
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Bound", (_Handler,), {"hub": self})
        )
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def downloads(self):
        """Names and ranges of the files whose content was asked for."""
        return [
            (path.rsplit("/", 1)[1], ranged)
            for method, path, ranged in self.requests
            if method == "GET" and "/resolve/" in path  # huggingface_hub asks for other things, too
        ]

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def hub(files):
    served = Hub(files)
    try:
        yield served
    finally:
        served.close()


def hub_environment(url, home):
    """The environment of a process that asks this hub and keeps its cache in `home`.

    huggingface_hub reads these settings once, when it is imported.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and name != "HF_TOKEN"
    }
    return inherited | {
        "HF_HOME": str(home),
        "HF_ENDPOINT": url,
        "HF_HUB_ETAG_TIMEOUT": "2",
        "HF_HUB_DOWNLOAD_TIMEOUT": "2",
        "NO_PROXY": "127.0.0.1",
        "OMP_NUM_THREADS": "1",
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_HEAD(self):
        self._answer(body=False)

    def do_GET(self):
        self._answer(body=True)

    def log_message(self, *_):
        pass

    def _answer(self, body):
        hub, ranged = self.hub, self.headers.get("Range")
        hub.requests.append((self.command, self.path, ranged))
        parts = self.path.split("?")[0].strip("/").split("/")
        repo, revision, name = "/".join(parts[-5:-3]), parts[-2], parts[-1]
        if hub.status:
            return self._refuse(hub.status, "", "out of order")
        if repo not in hub.files:
            return self._refuse(401, "RepoNotFound", "Repository not found")
        if repo in hub.gated:
            return self._refuse(403, "GatedRepo", "Access to this model is restricted")
        if revision not in ("main", "v1", COMMIT):
            return self._refuse(404, "RevisionNotFound", "Revision not found")
        if name not in hub.files[repo]:
            return self._refuse(404, "EntryNotFound", "Entry not found")
        self._send(name, hub.files[repo][name], ranged, body)

    def _send(self, name, content, ranged, body):
        large = len(content) > 1000
        start = int(ranged.removeprefix("bytes=").rstrip("-")) if ranged else 0
        self.send_response(206 if ranged else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        if large:
            self.send_header("X-Linked-Etag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Linked-Size", str(len(content)))
            self.send_header("ETag", '"storage"')
        else:
            self.send_header(
                "ETag",
                f'"{hashlib.sha1(b"blob %d" % len(content) + bytes(1) + content).hexdigest()}"',
            )
        self.send_header("Content-Length", str(len(content) - start))
        if ranged:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if not body:
            return
        if name in self.hub.corrupt:
            content = content[:-1] + bytes([content[-1] ^ 1])
        if large and self.hub.cut_after:
            self.wfile.write(content[start : start + self.hub.cut_after.pop(0)])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(content[start:])

    def _refuse(self, status, code, message):
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", message)
        self.send_header("Content-Length", "0")
        self.end_headers()
