"""MuJoCo, imported after the library that it renders with was chosen: `mujoco`."""

import os

from dsflash_ros.errors import ToyroomError, missing_extra
from dsflash_ros.toyroom.physics.backend import INSTALL, choose_backend

__all__ = ["mujoco"]

choose_backend()
try:
    import mujoco
except ImportError as error:
    raise missing_extra("toyroom", error) from error
except Exception as error:  # the import loads OpenGL: a wrong MUJOCO_GL raises errors of many types
    raise ToyroomError(
        f"MuJoCo cannot start with MUJOCO_GL={os.environ.get('MUJOCO_GL', '')!r} ({error}); "
        f"unset it, or {INSTALL}"
    ) from error
