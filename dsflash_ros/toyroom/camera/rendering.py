"""Pictures of a room, drawn by MuJoCo's renderer."""

import numpy as np

from dsflash_ros.errors import ToyroomError
from dsflash_ros.toyroom.build.scene import Camera, Picture
from dsflash_ros.toyroom.physics.backend import INSTALL, choose_backend, keep_triton_away
from dsflash_ros.toyroom.physics.engine import mujoco
from dsflash_ros.toyroom.physics.simulation import Simulation


class Renderer:
    """Renders pictures of one size of a simulation. A context manager."""

    def __init__(self, simulation: Simulation, width: int = 640, height: int = 480) -> None:
        """Raises `ToyroomError` when the machine cannot render."""
        backend = choose_backend()
        if not backend:
            raise ToyroomError(f"there is no library to render with: {INSTALL}")
        self._simulation = simulation
        self._width, self._height = width, height
        offscreen = simulation.model.vis.global_
        offscreen.offwidth, offscreen.offheight = width, height
        try:
            self._renderer = mujoco.Renderer(simulation.model, height, width)
        except Exception as error:  # the bindings of OpenGL raise errors of many types
            raise ToyroomError(
                f"cannot render with MUJOCO_GL={backend} ({type(error).__name__}: {error}); "
                f"{INSTALL}"
            ) from error
        keep_triton_away()

    def picture(self, camera: Camera) -> Picture:
        """Render what the camera sees. The camera must have the renderer's size."""
        if (camera.width, camera.height) != (self._width, self._height):
            raise ValueError(
                f"a camera of {camera.width}x{camera.height} for a renderer of "
                f"{self._width}x{self._height}"
            )
        rgb = self._render(camera).copy()
        self._renderer.enable_depth_rendering()
        depth = self._render(camera).astype(np.float32)
        self._renderer.disable_depth_rendering()
        self._renderer.enable_segmentation_rendering()
        geoms = self._render(camera)[..., 0]
        self._renderer.disable_segmentation_rendering()
        item_of_geom = np.append(self._simulation.item_of_geom, -1)  # geom -1, nothing: the last
        items = item_of_geom[geoms].astype(np.int32)
        return Picture(rgb, np.where(items >= 0, depth, 0).astype(np.float32), items)

    def _render(self, camera: Camera) -> np.ndarray:
        renderer, data = self._renderer, self._simulation.data
        renderer.update_scene(data)
        near = self._simulation.model.vis.map.znear * self._simulation.model.stat.extent
        half = near * np.tan(camera.fov / 2)
        for eye in renderer.scene.camera:  # MuJoCo has one for each eye
            eye.pos, eye.forward = camera.position, camera.rotation[:, 2]
            eye.up = -camera.rotation[:, 1]
            eye.frustum_bottom, eye.frustum_top = -half, half
            eye.frustum_center, eye.frustum_width = 0.0, half * camera.width / camera.height
            eye.frustum_near, eye.frustum_far = near, self._simulation.model.vis.map.zfar
        return renderer.render()

    def close(self) -> None:
        """Free the renderer."""
        self._renderer.close()

    def __enter__(self) -> "Renderer":
        return self

    def __exit__(self, *_) -> None:
        self.close()
