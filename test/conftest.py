import os

from hypothesis import settings

# The processes of `pytest -n` share the cores. torch reads this when it is imported.
if processes := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 0)):
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))

# A busy machine must not fail tests.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
