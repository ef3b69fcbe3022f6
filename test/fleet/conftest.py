"""A Ray and an S3 of this machine, which end with the tests."""

import os
import subprocess
import sys
import tempfile

import pytest

pytest.importorskip("ray", reason="needs Ray: pip install 'dsflash_ros[fleet]'")
pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from recorded import BUCKET, DRIVE, GIVEN, replay

_HEAD = """
import sys, ray
context = ray.init(
    num_cpus=2, num_gpus=0, include_dashboard=False, object_store_memory=200_000_000,
    _temp_dir=sys.argv[1], log_to_driver=False, logging_level="ERROR",
)
print(context.address_info["gcs_address"], flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="session")
def s3():
    """A server of S3 and a client of it, with a bucket."""
    server_module = pytest.importorskip("moto.server", reason="needs moto[server]")
    import boto3

    server = server_module.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        yield client
    server.stop()


@pytest.fixture(scope="session")
def ray_address(s3):
    """A Ray with two cores, whose processes know the server of S3."""
    with tempfile.TemporaryDirectory(prefix="ray") as folder:  # sockets need short paths
        head = subprocess.Popen(
            [sys.executable, "-c", _HEAD, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"},
        )
        try:
            address = head.stdout.readline().strip()
            assert address, "Ray did not start"
            yield address
        finally:
            head.stdin.close()
            head.wait(60)


@pytest.fixture(scope="session")
def unsplit(tmp_path_factory):
    """The folder of a replay in this process, with one thread as a model of a fleet has it."""
    out = tmp_path_factory.mktemp("unsplit")
    assert replay(DRIVE, "--out", out, "--threads", 1, *GIVEN) == 0
    return out / "drive"
