"""Image messages to arrays and back, in one process."""

import time
from collections.abc import Callable

import numpy as np
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from dsflash_ros.bench.results import spread
from dsflash_ros.images.encodings import image_to_rgb
from dsflash_ros.ros.messages.image_messages import panoptic_to_image, rgb_to_image
from dsflash_ros.text_tables import Row

BYTES_PER_PIXEL = {
    "rgb8": 3,
    "bgr8": 3,
    "rgba8": 4,
    "bgra8": 4,
    "mono8": 1,
    "mono16": 2,
    "yuv422": 2,
    "yuv422_yuy2": 2,
    "bayer_rggb8": 1,
}


def measure(sizes: list[tuple[int, int]], repeat: int) -> list[Row]:
    """A row for each conversion and size, (width, height)."""
    random = np.random.default_rng(0)
    rows = []
    for width, height in sizes:
        size = f"{width}x{height}"
        for encoding, pixel in BYTES_PER_PIXEL.items():
            message = Image(height=height, width=width, encoding=encoding, step=pixel * width)
            message.data = random.integers(0, 256, height * width * pixel, np.uint8).tobytes()
            times = _time(lambda message=message: image_to_rgb(message), repeat)
            rows.append({"conversion": f"{encoding} to array", "size": size, **spread(times)})
        rgb = random.integers(0, 256, (height, width, 3), np.uint8)
        panoptic = random.integers(-1, 1 << 22, (height, width), np.int32)
        times = _time(lambda rgb=rgb: rgb_to_image(rgb, Header()), repeat)
        rows.append({"conversion": "array to rgb8", "size": size, **spread(times)})
        times = _time(lambda panoptic=panoptic: panoptic_to_image(panoptic, Header()), repeat)
        rows.append({"conversion": "panoptic to 32SC1", "size": size, **spread(times)})
    return rows


def _time(work: Callable[[], object], repeat: int) -> list[float]:
    """Milliseconds of each call, after three that do not count."""
    times = []
    for number in range(3 + repeat):
        start = time.perf_counter()
        work()
        if number >= 3:
            times.append((time.perf_counter() - start) * 1e3)
    return times
