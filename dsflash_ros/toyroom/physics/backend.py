"""The library that MuJoCo renders with; to be chosen before MuJoCo is imported."""

import ctypes.util
import os
import sys

_LIBRARIES = {"egl": "EGL", "osmesa": "OSMesa"}
INSTALL = "install OSMesa (Debian and Ubuntu: apt install libosmesa6) or EGL (apt install libegl1)"


def choose_backend() -> str:
    """Set MUJOCO_GL, unless it is set, to what renders without a screen. Returns it, empty where
    there is nothing.

    EGL where there is a GPU; else OSMesa, which renders on the CPU, and is lighter there.
    """
    if not os.environ.get("MUJOCO_GL") and sys.platform.startswith("linux"):
        has_gpu = os.path.exists("/dev/nvidiactl") or os.path.exists("/dev/dri/renderD128")
        libraries = {
            name: library
            for name, library in _LIBRARIES.items()
            if ctypes.util.find_library(library)
        }
        for name in ("egl", "osmesa") if has_gpu else ("osmesa", "egl"):
            if name in libraries:
                os.environ["MUJOCO_GL"] = name
                break
    return os.environ.get("MUJOCO_GL", "" if sys.platform.startswith("linux") else "native")
