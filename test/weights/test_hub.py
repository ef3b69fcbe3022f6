"""The real huggingface_hub against a hub on this machine.

It reads its settings once, so each try is a new process.
"""

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hub_server import COMMIT, hub, hub_environment
from safetensors.torch import save

pytest.importorskip("huggingface_hub")
ID = "org/model"
PATIENCE = 40
"""Seconds within which whatever happens must be over, on a busy machine."""

_CALL = """
import json, sys
from dsflash_ros.errors import DSFlashError
from dsflash_ros.weights.hub import fetch
from dsflash_ros.weights.names import locate
try:
    print(json.dumps({"path": str(globals()[sys.argv[1]](**json.loads(sys.argv[2])))}))
except DSFlashError as error:
    print(json.dumps({"error": type(error).__name__, "says": str(error)}))
"""


@pytest.fixture(scope="module")
def content():
    import torch

    return save({"a": torch.rand(100_000)})


@pytest.fixture
def large(served):
    """More than the 10 MiB that huggingface_hub writes at once."""
    served.files[ID] = {"pytorch_model.bin": os.urandom(25_000_000)}
    return served.files[ID]["pytorch_model.bin"]


@pytest.fixture
def served(content):
    with hub({ID: {"model.safetensors": content, "config.json": b"{}"}}) as running:
        yield running


@pytest.fixture
def process(tmp_path):
    """Run Python with a cache of this test's own, and a hub."""

    def run(served, *arguments, **environment):
        url = getattr(served, "url", served)
        environment = hub_environment(url, tmp_path / "home") | environment
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=PATIENCE
        )

    return run


@pytest.fixture
def call(process):
    """Call `fetch` or `locate` in a process of its own."""

    def call(served, function, limit=None, environment=None, **arguments):
        code = (
            f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
            if limit
            else ""
        )
        started = time.monotonic()
        done = process(
            served, "-c", code + _CALL, function, json.dumps(arguments), **environment or {}
        )
        assert done.stdout.startswith("{"), done.stderr
        return json.loads(done.stdout) | {"seconds": time.monotonic() - started}

    return call


def content_of(path):
    return Path(path).read_bytes()


def leftovers(tmp_path):
    return sorted(path.name for path in (tmp_path / "home").rglob("*.incomplete"))


def test_download_then_offline(tmp_path, content, served, call):
    path = call(served, "fetch", repo_id=ID)["path"]
    assert path.startswith(str(tmp_path / "home")) and content_of(path) == content
    assert os.path.exists(os.path.join(os.path.dirname(path), "config.json"))
    assert os.path.basename(os.path.realpath(path)) == hashlib.sha256(content).hexdigest()
    assert leftovers(tmp_path) == []
    assert served.downloads() == [("model.safetensors", None), ("config.json", None)]
    assert call(served, "fetch", repo_id=ID)["path"] == path
    assert len(served.downloads()) == 2, "what is here is not fetched again"
    served.close()
    for environment in ({}, {"HF_HUB_OFFLINE": "1"}):
        assert call(served, "fetch", repo_id=ID, environment=environment)["path"] == path
        assert call(served, "locate", weights=ID, environment=environment)["path"] == path


def test_the_cache_is_used_without_asking(served, call):
    path = call(served, "locate", weights=f"{ID}@v1")["path"]
    before = len(served.requests)
    assert call(served, "locate", weights=f"{ID}@v1")["path"] == path and COMMIT in path
    assert len(served.requests) == before


def test_a_cut_connection_is_resumed(large, served, call):
    served.cut_after = [15_000_000]
    path = call(served, "fetch", repo_id=ID)["path"]
    assert content_of(path) == large
    (_, first), (_, second) = served.downloads()
    assert first is None and second == f"bytes={10 * 2**20}-", "only the rest is fetched"


def test_what_an_interruption_left_is_continued_by_the_next_try(tmp_path, large, served, call):
    served.cut_after = [22_000_000, *[0] * 20]
    failed = call(served, "fetch", repo_id=ID)
    assert (
        failed["error"] == "WeightsError"
        and "a download continues where it stopped" in failed["says"]
    )
    assert leftovers(tmp_path) == [f"{hashlib.sha256(large).hexdigest()}.incomplete"]
    assert failed["seconds"] < PATIENCE / 2
    served.cut_after, served.requests = [], []
    path = call(served, "fetch", repo_id=ID)["path"]
    assert content_of(path) == large
    assert served.downloads() == [("pytorch_model.bin", f"bytes={20 * 2**20}-")]
    assert leftovers(tmp_path) == []


def test_a_damaged_download_is_thrown_away(tmp_path, content, served, call):
    served.corrupt = {"model.safetensors"}
    failed = call(served, "fetch", repo_id=ID)
    assert failed["error"] == "WeightsError" and "arrived damaged" in failed["says"]
    assert leftovers(tmp_path) == [] and not list(
        (tmp_path / "home").rglob("snapshots/*/model.safetensors")
    )
    served.corrupt = {"config.json"}
    assert "config.json of org/model arrived damaged" in call(served, "fetch", repo_id=ID)["says"]
    served.corrupt = set()
    assert content_of(call(served, "fetch", repo_id=ID)["path"]) == content


def test_a_file_damaged_in_the_cache_is_thrown_away(content, served, call):
    path = call(served, "fetch", repo_id=ID)["path"]
    with open(os.path.realpath(path), "r+b") as file:
        file.truncate(1000)
    assert "was damaged in the cache" in call(served, "fetch", repo_id=ID)["says"]
    assert content_of(call(served, "fetch", repo_id=ID)["path"]) == content


def test_a_sha256_that_the_user_expects(content, served, call):
    digest = hashlib.sha256(content).hexdigest()
    assert "path" in call(served, "fetch", repo_id=ID, sha256=digest.upper())
    failed = call(served, "fetch", repo_id=ID, sha256="0" * 64)
    assert f"has SHA-256 {digest}, not 000" in failed["says"]
    assert "path" in call(served, "fetch", repo_id=ID, sha256=digest)


def test_which_file(content, served, call):
    served.files[ID] = {"pytorch_model.bin": content, "other.ckpt": content[:5000]}
    assert call(served, "fetch", repo_id=ID)["path"].endswith("pytorch_model.bin")
    assert call(served, "fetch", repo_id=ID, file="other.ckpt")["path"].endswith("other.ckpt")
    assert (
        "org/model on the hub has no file none.bin"
        in call(served, "fetch", repo_id=ID, file="none.bin")["says"]
    )
    served.close()
    assert call(served, "fetch", repo_id=ID)["path"].endswith("pytorch_model.bin")
    assert call(served, "locate", weights=ID)["path"].endswith("pytorch_model.bin")


def test_shards(content, served, call):
    index = json.dumps(
        {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    ).encode()
    served.files[ID] = {"model.safetensors.index.json": index, "model-1.safetensors": content}
    failed = call(served, "fetch", repo_id=ID)
    assert "is incomplete: model.safetensors.index.json names model-2.safetensors" in failed["says"]
    served.files[ID]["model-2.safetensors"] = content[:2000]
    path = call(served, "locate", weights=ID)["path"]
    assert path.endswith("index.json") and os.path.exists(
        path.replace("model.safetensors.index.json", "model-2.safetensors")
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"repo_id": "org/none"}, "the hub has no org/none, or it is private"),
        (
            {"repo_id": "org/gated"},
            "only for those who accepted its terms: do so on http.*/org/gated, log in with",
        ),
        (
            {"repo_id": "org/empty"},
            "org/empty on the hub has none of model.safetensors, .*; name a file of it with --file",
        ),
        ({"repo_id": ID, "revision": "none"}, "org/model on the hub has no revision 'none'"),
        ({"repo_id": "a/b/c"}, "'a/b/c' is no hub id"),
    ],
)
def test_refusals(served, call, arguments, says):
    import re

    served.files |= {"org/gated": {}, "org/empty": {}}
    served.gated = {"org/gated"}
    failed = call(served, "fetch", **arguments)
    assert failed["error"] == "WeightsError" and re.search(says, failed["says"])
    assert "\n" not in failed["says"] and failed["seconds"] < PATIENCE / 2


def test_a_hub_that_is_not_there(call):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        failed = call(url, "fetch", repo_id=ID)
    assert (
        failed["error"] == "WeightsError" and f"cannot get org/model from {url} (" in failed["says"]
    )
    assert failed["seconds"] < PATIENCE / 2
    offline = call(url, "fetch", repo_id=ID, environment={"HF_HUB_OFFLINE": "1"})
    assert "is not in the cache, and HF_HUB_OFFLINE forbids" in offline["says"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_fails(served, call, scheme):
    served.status = 502
    proxy = {"HTTP_PROXY": served.url, "HTTPS_PROXY": served.url}
    failed = call(f"{scheme}://hub.invalid", "fetch", repo_id=ID, environment=proxy)
    assert (
        failed["error"] == "WeightsError"
        and "check the network and the proxy settings" in failed["says"]
    )
    assert failed["seconds"] < PATIENCE / 2 and "\n" not in failed["says"]
    assert served.requests or scheme == "https"


def test_a_login_page_instead_of_the_hub(served, call):
    served.status = 200
    assert (
        "does not answer as a hub does; a proxy or a login page"
        in call(served, "fetch", repo_id=ID)["says"]
    )


def test_a_full_disk(tmp_path, content, served, call):
    """A limit on the size of files stands for the disk."""
    failed = call(served, "fetch", repo_id=ID, limit=100_000)
    assert failed["error"] == "OutputError" and "the disk is full" in failed["says"]
    assert content_of(call(served, "fetch", repo_id=ID)["path"]) == content


def test_paths_stay_paths(tmp_path, served, call, monkeypatch):
    (tmp_path / "org").mkdir()
    (tmp_path / "org" / "model").touch()
    monkeypatch.chdir(tmp_path)
    for weights in (ID, "runs/none.safetensors", str(tmp_path / "none"), "./a/b", "random"):
        assert call(served, "locate", weights=weights)["path"] == str(os.path.normpath(weights))
    assert served.requests == []


def test_the_command(tmp_path, content, served, process):
    fetch = ("-m", "dsflash_ros.cli", "weights", "fetch", ID, "--out", tmp_path / "w.safetensors")
    done = process(served, *fetch)
    assert done.returncode == 0, done.stderr
    assert content_of(tmp_path / "w.safetensors") == content
    assert done.stdout.splitlines()[:2] == [
        str(tmp_path / "w.safetensors"),
        f"SHA-256 {hashlib.sha256(content).hexdigest()}",
    ]
    again = process(served, *fetch)
    assert again.returncode == 1 and "is there already; give --overwrite" in again.stderr
