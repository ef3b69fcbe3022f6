import os
import signal
import sys
import threading

import pytest
from hypothesis import settings

from dsflash_ros import machine

# The processes of `pytest -n` share the cores. torch reads this when it is imported.
if processes := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 0)):
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))

# Shells let background jobs ignore Ctrl-C, and child processes with them. Tests send it to some.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine must not fail tests.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(autouse=True, scope="session")
def no_bfloat16_by_itself():
    """Let models compute in float32 in this process where a test asks for nothing else.

    Tests compare numbers, and are to find the same ones on all processors.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "_BFLOAT16_FLAGS", frozenset())
        yield


@pytest.fixture(autouse=True)
def as_many_threads_as_the_environment_says():
    """Give torch the threads of child processes again; pipelines change it for the whole process.

    Sums depend on the number of threads in their last bits, which some tests compare.
    """
    if "torch" in sys.modules and "OMP_NUM_THREADS" in os.environ:
        sys.modules["torch"].set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


@pytest.fixture(scope="module")
def one_thread():
    """Torch with one thread for a module of tests, whose models are too small for more."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def exported_shapes(tmp_path_factory):
    """See `export_shapes`; tests must leave its files as they are."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from exported_models import export_shapes

    return export_shapes(tmp_path_factory.mktemp("shapes"))


@pytest.fixture(scope="session")
def exported_objects(tmp_path_factory):
    """See `export_objects`; with all parts. Tests must leave its files as they are."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from exported_models import export_objects

    return export_objects(tmp_path_factory.mktemp("objects"))


@pytest.fixture(scope="session")
def exported_rgt(tmp_path_factory):
    """See `export_rgt`; tests must leave its files as they are."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from exported_models import export_rgt

    return export_rgt(tmp_path_factory.mktemp("rgt"))
