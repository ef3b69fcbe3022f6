"""Compressed images: any format that OpenCV reads, and what is broken."""

from array import array
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from dsflash_ros.errors import ImageError
from dsflash_ros.images.encodings import compressed_to_rgb


def random_pixels(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def compressed(data, format="jpeg"):
    return SimpleNamespace(format=format, data=array("B", bytes(data)))


def encoded(suffix, image, *params):
    return cv2.imencode(suffix, image, params)[1].tobytes()


@pytest.mark.parametrize("format", ["jpeg", "png", "rgb8; jpeg compressed bgr8", ""])
@pytest.mark.parametrize("suffix", [".png", ".webp", ".bmp"])
def test_compressed_decodes_by_content(suffix, format):
    rgb = random_pixels(9, 11, 3)
    data = encoded(
        suffix, rgb[..., ::-1], *((cv2.IMWRITE_WEBP_QUALITY, 101) if suffix == ".webp" else ())
    )
    np.testing.assert_array_equal(compressed_to_rgb(compressed(data, format)), rgb)


def test_compressed_ignores_the_orientation_tag():
    jpeg = encoded(".jpg", random_pixels(20, 30, 3))
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    turned = jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape == (30, 20, 3)
    assert compressed_to_rgb(compressed(turned)).shape == (20, 30, 3)


@pytest.mark.parametrize(
    ("data", "format", "sentence"),
    [
        (b"", "jpeg", "no data"),
        (b"not an image", "jpeg", "cannot be decoded"),
        (encoded(".jpg", random_pixels(40, 40, 3))[:-200], "jpeg", "cut off"),
        (
            encoded(".png", random_pixels(4, 4, dtype=np.uint16)),
            "16UC1; compressedDepth png",
            "no colours",
        ),
    ],
)
def test_bad_compressed(data, format, sentence):
    with pytest.raises(ImageError, match=sentence):
        compressed_to_rgb(compressed(data, format))
