from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from dsflash_ros.errors import ImageError
from dsflash_ros.images.depth import compressed_depth_to_metres, depth_to_metres


def image(values, encoding, padding=0, is_bigendian=False, **changes):
    """A message of these rows, each with some more bytes."""
    rows = values.astype(values.dtype.newbyteorder(">" if is_bigendian else "<"))
    data = b"".join(row.tobytes() + b"\7" * padding for row in rows)
    fields = {
        "height": len(values),
        "width": values.shape[1],
        "encoding": encoding,
        "step": values.shape[1] * values.itemsize + padding,
        "is_bigendian": is_bigendian,
        "data": data,
    }
    return SimpleNamespace(**fields | changes)


@pytest.mark.parametrize("is_bigendian", [False, True])
@pytest.mark.parametrize("padding", [0, 6])
def test_both_encodings(is_bigendian, padding):
    random = np.random.default_rng(0)
    millimetres = random.integers(0, 65536, (5, 7)).astype(np.uint16)
    for encoding in ("16UC1", "mono16"):
        found = depth_to_metres(image(millimetres, encoding, padding, is_bigendian))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, millimetres / 1000, rtol=1e-6)
    metres = random.normal(size=(5, 7)).astype(np.float32)
    metres[0, :3] = np.nan, np.inf, 0
    found = depth_to_metres(image(metres, "32FC1", padding, is_bigendian))
    np.testing.assert_array_equal(found, metres)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"encoding": "rgb8"}, "is this the colour image's topic?"),
        ({"data": b"\0" * 10}, "cannot have 10 bytes"),
        ({"step": 3}, "with step 3"),
        ({"width": 0}, "0x5"),
        ({"height": 0}, "7x0"),
    ],
)
def test_what_cannot_be(changes, words):
    with pytest.raises(ImageError, match=words):
        depth_to_metres(image(np.ones((5, 7), np.uint16), **{"encoding": "16UC1"} | changes))


def png(values, header=b""):
    return header + cv2.imencode(".png", values)[1].tobytes()


def test_compressed_depth():
    millimetres = np.random.default_rng(1).integers(0, 65536, (6, 8)).astype(np.uint16)
    for format, data in (
        ("16UC1; compressedDepth", png(millimetres, b"\0" * 12)),
        ("16UC1; compressedDepth png", png(millimetres, b"\0" * 12)),
        ("png", png(millimetres)),
    ):
        found = compressed_depth_to_metres(SimpleNamespace(format=format, data=data))
        np.testing.assert_allclose(found, millimetres / 1000, rtol=1e-6)


@pytest.mark.parametrize(
    ("format", "data"),
    [
        ("32FC1; compressedDepth", b"\0" * 40),
        ("16UC1; compressedDepth", b""),
        ("16UC1; compressedDepth", b"\0" * 40),
        ("png", png(np.zeros((4, 4), np.uint8))),
        ("jpeg", b"\xff\xd8\xff"),
    ],
)
def test_compressed_depth_that_is_none(format, data):
    with pytest.raises(ImageError, match="compressed"):
        compressed_depth_to_metres(SimpleNamespace(format=format, data=data))
