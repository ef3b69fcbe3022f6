"""The library that MuJoCo renders with. It must be chosen before MuJoCo is imported."""

import ctypes.util
import os
import sys
from pathlib import Path

INSTALL = "install OSMesa (Debian and Ubuntu: apt install libosmesa6) or EGL (apt install libegl1)"

_LIBRARIES = {"egl": "EGL", "osmesa": "OSMesa"}


def choose_backend() -> str:
    """Set MUJOCO_GL to a library that renders without a screen, unless it is set.

    Prefers EGL on a machine with a GPU. Otherwise it prefers OSMesa, which renders on the CPU with
    less overhead.

    Returns:
        The value of MUJOCO_GL; empty if there is no such library.
    """
    if not sys.platform.startswith("linux"):
        return os.environ.get("MUJOCO_GL", "native")
    if not os.environ.get("MUJOCO_GL"):
        has_gpu = os.path.exists("/dev/nvidiactl") or os.path.exists("/dev/dri/renderD128")
        for name in ("egl", "osmesa") if has_gpu else ("osmesa", "egl"):
            if ctypes.util.find_library(_LIBRARIES[name]):
                os.environ["MUJOCO_GL"] = name
                break
    return os.environ.get("MUJOCO_GL", "")


def keep_triton_away() -> None:
    """After the first rendering on a CPU, let `import triton` fail with an `ImportError`.

    OSMesa, and EGL without a GPU, load the LLVM library of the system. Triton has an LLVM of its
    own, and a process that loads it second dies of a segmentation fault. torch imports Triton late
    (with torchvision, for example) and works without it, except that it cannot compile for GPUs.
    Triton stays available if it was imported before the first rendering.
    """
    maps = Path("/proc/self/maps")
    if maps.exists() and "/libLLVM" in maps.read_text():
        sys.modules.setdefault("triton", None)
