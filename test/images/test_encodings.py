"""Every encoding against plain formulas and OpenCV's conversion; what else a driver may send."""

import sys
from array import array
from types import ModuleType, SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsflash_ros.errors import ImageError
from dsflash_ros.images.encodings import ENCODINGS, image_to_rgb

SIZES = [(1, 1), (2, 3), (5, 7), (48, 64), (37, 101)]
CHANNEL_ORDER = {"rgb": [0, 1, 2], "bgr": [2, 1, 0], "rgba": [0, 1, 2, 3], "bgra": [2, 1, 0, 3]}


def random_pixels(*shape, dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def message_of(pixels, encoding, padding=0, big_endian=False, width=None, height=None):
    """A message of (H, W[, C]) pixels with `padding` bytes of noise after each row."""
    values = pixels.astype(pixels.dtype.newbyteorder(">" if big_endian else "<"))
    rows = np.frombuffer(values.tobytes(), np.uint8).reshape(len(pixels), -1)
    rows = np.hstack([rows, random_pixels(len(rows), padding, seed=9)])
    return SimpleNamespace(
        height=height or pixels.shape[0],
        width=width or pixels.shape[1],
        encoding=encoding,
        is_bigendian=int(big_endian),
        step=rows.shape[1],
        data=array("B", rows.tobytes()),
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("padding", [0, 1, 13])
@pytest.mark.parametrize(
    ("encoding", "order"),
    [(f"{name}8", order) for name, order in CHANNEL_ORDER.items()]
    + [("8UC3", CHANNEL_ORDER["bgr"]), ("8UC4", CHANNEL_ORDER["bgra"])],
)
def test_colour_8_bit(encoding, order, padding, size):
    pixels = random_pixels(*size, 4)
    rgb = image_to_rgb(message_of(pixels[..., order], encoding, padding))
    np.testing.assert_array_equal(rgb, pixels[..., :3])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("padding", [0, 1, 6])
@pytest.mark.parametrize("name", CHANNEL_ORDER)
def test_colour_16_bit(name, padding, big_endian, size):
    pixels = random_pixels(*size, 4, dtype=np.uint16)
    rgb = image_to_rgb(
        message_of(pixels[..., CHANNEL_ORDER[name]], f"{name}16", padding, big_endian)
    )
    np.testing.assert_array_equal(rgb, (pixels[..., :3].astype(int) + 128) // 257)


@pytest.mark.parametrize("encoding", ["mono8", "8UC1"])
@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("size", SIZES)
def test_grey_8_bit(encoding, padding, size):
    grey = random_pixels(*size)
    np.testing.assert_array_equal(
        image_to_rgb(message_of(grey, encoding, padding)), np.dstack([grey] * 3)
    )


@pytest.mark.parametrize("encoding", ["mono16", "16UC1"])
@pytest.mark.parametrize("big_endian", [False, True])
def test_grey_16_bit_rounds_all_values_right(encoding, big_endian):
    grey = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    expected = np.round(grey / 65535 * 255).astype(np.uint8)
    rgb = image_to_rgb(message_of(grey, encoding, 3, big_endian))
    np.testing.assert_array_equal(rgb, np.dstack([expected] * 3))


@pytest.mark.parametrize(
    ("encoding", "code"),
    [
        ("bayer_rggb8", cv2.COLOR_BayerRGGB2RGB),
        ("bayer_bggr8", cv2.COLOR_BayerBGGR2RGB),
        ("bayer_gbrg8", cv2.COLOR_BayerGBRG2RGB),
        ("bayer_grbg8", cv2.COLOR_BayerGRBG2RGB),
    ],
)
@pytest.mark.parametrize("padding", [0, 7])
@pytest.mark.parametrize("size", SIZES)
def test_bayer_as_opencv(encoding, code, padding, size):
    mosaic = random_pixels(*size)
    np.testing.assert_array_equal(
        image_to_rgb(message_of(mosaic, encoding, padding)), cv2.cvtColor(mosaic, code)
    )


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("bits", [8, 16])
def test_bayer_gives_back_a_plain_colour(pattern, bits):
    colour = {"r": 200, "g": 120, "b": 30}
    tile = np.array([colour[c] for c in pattern]).reshape(2, 2)
    mosaic = np.tile(tile, (8, 8)).astype(np.uint8)
    if bits == 16:
        mosaic = mosaic.astype(np.uint16) * 257
    rgb = image_to_rgb(message_of(mosaic, f"bayer_{pattern}{bits}", big_endian=bits == 16))
    assert np.abs(rgb.astype(int) - [200, 120, 30]).max() == 0


@pytest.mark.parametrize(
    ("encoding", "code", "bytes_of_red"),
    [
        ("uyvy", cv2.COLOR_YUV2RGB_UYVY, [90, 82, 240, 82]),
        ("yuv422", cv2.COLOR_YUV2RGB_UYVY, [90, 82, 240, 82]),
        ("yuyv", cv2.COLOR_YUV2RGB_YUYV, [82, 90, 82, 240]),
        ("yuv422_yuy2", cv2.COLOR_YUV2RGB_YUYV, [82, 90, 82, 240]),
    ],
)
@pytest.mark.parametrize("padding", [0, 6])
def test_yuv422(encoding, code, bytes_of_red, padding):
    pixels = random_pixels(11, 14, 2)
    rgb = image_to_rgb(message_of(pixels, encoding, padding))
    np.testing.assert_array_equal(rgb, cv2.cvtColor(pixels, code))
    red = np.tile(np.array(bytes_of_red, np.uint8).reshape(1, 2, 2), (4, 3, 1))
    assert (
        np.abs(image_to_rgb(message_of(red, encoding, padding)).astype(int) - [255, 0, 0]).max()
        <= 2
    )


@pytest.mark.parametrize(
    ("encoding", "code", "chroma_of_red"),
    [("nv12", cv2.COLOR_YUV2RGB_NV12, [90, 240]), ("nv21", cv2.COLOR_YUV2RGB_NV21, [240, 90])],
)
@pytest.mark.parametrize("padding", [0, 6])
def test_yuv420(encoding, code, chroma_of_red, padding):
    planes = random_pixels(12, 10)  # 8 rows of brightness, 4 of colours
    rgb = image_to_rgb(message_of(planes, encoding, padding, height=8))
    np.testing.assert_array_equal(rgb, cv2.cvtColor(planes, code))
    planes[:8], planes[8:] = 82, np.tile(np.array(chroma_of_red, np.uint8), 5)
    red = image_to_rgb(message_of(planes, encoding, padding, height=8))
    assert np.abs(red.astype(int) - [255, 0, 0]).max() <= 2


def test_every_encoding_has_a_test():
    tested = {f"{name}{bits}" for name in CHANNEL_ORDER for bits in (8, 16)}
    tested |= {
        f"bayer_{pattern}{bits}" for pattern in ("rggb", "bggr", "gbrg", "grbg") for bits in (8, 16)
    }
    tested |= {"8UC1", "8UC3", "8UC4", "16UC1", "16UC3", "16UC4", "mono8", "mono16"}
    tested |= {"uyvy", "yuv422", "yuyv", "yuv422_yuy2", "nv12", "nv21"}
    assert tested == set(ENCODINGS)


@pytest.mark.parametrize(("encoding", "name"), [("16UC3", "bgr"), ("16UC4", "bgra")])
def test_opencv_16_bit_types_are_blue_first(encoding, name):
    pixels = random_pixels(4, 5, 4, dtype=np.uint16)[..., CHANNEL_ORDER[name]]
    np.testing.assert_array_equal(
        image_to_rgb(message_of(pixels, encoding)), image_to_rgb(message_of(pixels, f"{name}16"))
    )


@pytest.mark.parametrize("padding", [0, 8])
@pytest.mark.parametrize("container", [array, bytes, np.array])
def test_rgb8_is_a_view(padding, container):
    message = message_of(random_pixels(6, 5, 3), "rgb8", padding)
    if container is bytes:
        message.data = message.data.tobytes()
    elif container is np.array:
        message.data = np.array(message.data)
    assert np.shares_memory(image_to_rgb(message), np.frombuffer(message.data, np.uint8))


def test_data_longer_than_the_image_is_ignored():
    pixels = random_pixels(4, 6, 3)
    message = message_of(pixels, "rgb8")
    message.data.extend(b"more")
    np.testing.assert_array_equal(image_to_rgb(message), pixels)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"width": 0}, "no pixels"),
        ({"height": 0}, "no pixels"),
        ({"width": 2**32 - 1, "height": 2**32 - 1, "step": 2**32 - 1}, "broken message"),
        ({"data": array("B")}, "cut off"),
        ({"data": array("B", bytes(8 * 6 * 3 - 1))}, "cut off"),
        ({"step": 6 * 3 - 1}, "its step is 17"),
        ({"step": 0}, "its step is 0"),
        ({"step": 19}, "cut off or its step is wrong"),
        ({"encoding": "rgba8"}, "a row of this 6x8 rgba8 image takes 24 bytes, but its step is 18"),
        ({"encoding": "jpg"}, "unknown image encoding 'jpg'.*cv_bridge.*rgb8"),
        ({"encoding": ""}, "unknown image encoding ''"),
        ({"encoding": "uyvy", "width": 5}, "even"),
        ({"encoding": "nv12", "height": 7}, "even"),
        ({"encoding": "nv21", "step": 18}, "takes 216 bytes, but 144 came"),
    ],
)
def test_bad_message(change, sentence):
    message = message_of(random_pixels(8, 6, 3), "rgb8")
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(ImageError, match=sentence):
        image_to_rgb(message)


def test_other_encodings_go_to_cv_bridge(monkeypatch):
    class CvBridge:
        def imgmsg_to_cv2(self, message, encoding):
            if message.encoding == "32FC1":
                raise RuntimeError("[32FC1] is not a color format")
            assert encoding == "rgb8"
            return np.full((message.height, message.width, 3), 7, np.uint8)

    stand_in = ModuleType("cv_bridge")
    stand_in.CvBridge = CvBridge
    monkeypatch.setitem(sys.modules, "cv_bridge", stand_in)
    np.testing.assert_array_equal(
        image_to_rgb(message_of(random_pixels(2, 3, 1), "nv24")), np.full((2, 3, 3), 7)
    )
    with pytest.raises(ImageError, match="cv_bridge cannot turn the encoding '32FC1' into rgb8"):
        image_to_rgb(message_of(random_pixels(2, 3, 4), "32FC1"))
    with pytest.raises(ImageError, match="cut off"):
        image_to_rgb(message_of(random_pixels(2, 3, 1), "nv24", height=10))


@settings(max_examples=400, deadline=None)
@given(
    encoding=st.sampled_from([*ENCODINGS, "", "RGB8", "32FC1", "jpeg"]),
    width=st.integers(0, 20) | st.integers(0, 2**32 - 1),
    height=st.integers(0, 20) | st.integers(0, 2**32 - 1),
    step=st.integers(0, 200) | st.integers(0, 2**32 - 1),
    is_bigendian=st.integers(0, 255),
    data=st.binary(max_size=64) | st.integers(0, 5000).map(bytes),
)
def test_any_message_is_read_or_refused(**fields):
    try:
        rgb = image_to_rgb(SimpleNamespace(**fields))
    except ImageError:
        return
    assert rgb.shape == (fields["height"], fields["width"], 3)
    assert rgb.dtype == np.uint8
