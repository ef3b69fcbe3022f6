"""On the PYTHONPATH of a child process: registers the toy plugs as soon as Python starts."""

import toy_registration  # noqa: F401
