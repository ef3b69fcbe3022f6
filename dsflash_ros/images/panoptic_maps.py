"""Read panoptic maps of ROS without ROS. Messages are duck-typed, as in `encodings`."""

import numpy as np

from dsflash_ros.errors import ImageError


def image_to_panoptic(message) -> np.ndarray:
    """Read a `sensor_msgs/Image` (32SC1) as `~/panoptic` has it.

    Returns:
        (H, W) int32, packed as `SceneGraph.panoptic`.

    Raises:
        ImageError: another encoding, or too little data.
    """
    if message.encoding != "32SC1":
        raise ImageError(f"a panoptic map is 32SC1, not {message.encoding[:40]!r}")
    width, height = message.width, message.height
    data = np.frombuffer(message.data, np.uint8)
    if not width or not height or message.step < 4 * width or data.size < message.step * height:
        raise ImageError(
            f"a panoptic map of {width}x{height} with step {message.step} cannot have {data.size} "
            "bytes: it is cut off"
        )
    rows = data[: message.step * height].reshape(height, message.step)[:, : 4 * width]
    order = ">" if message.is_bigendian else "<"
    return np.ascontiguousarray(rows).view(order + "i4").astype(np.int32, copy=False)
