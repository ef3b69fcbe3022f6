"""Fitting images into the square network input."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from dsflash_ros.images.letterbox import Letterbox


def network_input(
    images: Sequence[np.ndarray], boxes: Sequence[Letterbox], device: torch.device
) -> torch.Tensor:
    """Images, each (H, W, 3) uint8, to (B, 3, S, S) float32 in 0..1 on the device."""
    fitted = [fit_image(rgb, box) for rgb, box in zip(images, boxes, strict=True)]
    pixels = torch.from_numpy(np.stack(fitted)).to(device)
    return pixels.permute(0, 3, 1, 2).float() / 255


def fit_image(rgb: np.ndarray, box: Letterbox) -> np.ndarray:
    """Scale an image, (H, W, 3) uint8, into the network input.

    Returns:
        (image_size, image_size, 3) uint8: the image at the top left, the rest black. Bilinear, and
        antialiased where it shrinks, within a grey level of PIL, which EoMT was trained with.
    """
    square = np.zeros((box.image_size, box.image_size, 3), np.uint8)
    square[: box.height, : box.width] = _resize(rgb, box)
    return square


def _resize(rgb: np.ndarray, box: Letterbox) -> np.ndarray:
    rgb = np.require(rgb, requirements="CW")  # torch takes neither reversed nor read-only arrays
    if box.scale >= 1:
        return cv2.resize(rgb, (box.width, box.height), interpolation=cv2.INTER_LINEAR)
    pixels = torch.from_numpy(rgb).permute(2, 0, 1).unsqueeze(0)
    small = F.interpolate(pixels, (box.height, box.width), mode="bilinear", antialias=True)
    return small[0].permute(1, 2, 0).numpy()
