"""Random changes of colour, on (H, W, 3) uint8 RGB images.

OpenCV computes them: torchvision's give the same to within a grey level and take 3 to 30 times as
long.
"""

from collections.abc import Callable

import cv2
import numpy as np

Random = np.random.Generator


def deit3_colours(rgb: np.ndarray, random: Random) -> np.ndarray:
    """Colour jitter of 0.3, then one of grayscale, solarisation, Gaussian blur (DSFlash, section
    3.6).

    DeiT III (Touvron et al., ECCV 2022) gives the strengths.
    """
    for change in random.permutation([brightness, contrast, saturation]):
        rgb = change(rgb, random.uniform(0.7, 1.3))
    which: Callable[..., np.ndarray] = random.choice([grayscale, solarise, blur])
    return which(rgb, random.uniform(0.1, 2.0)) if which is blur else which(rgb)


def brightness(rgb: np.ndarray, factor: float) -> np.ndarray:
    """0 is black, 1 the image."""
    return cv2.convertScaleAbs(rgb, alpha=factor)


def contrast(rgb: np.ndarray, factor: float) -> np.ndarray:
    """0 is its mean grey, 1 the image."""
    mean = cv2.mean(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))[0]
    return cv2.addWeighted(rgb, factor, rgb, 0, (1 - factor) * mean)


def saturation(rgb: np.ndarray, factor: float) -> np.ndarray:
    """0 is grey, 1 the image."""
    return cv2.addWeighted(rgb, factor, grayscale(rgb), 1 - factor, 0)


def grayscale(rgb: np.ndarray) -> np.ndarray:
    """Three equal channels."""
    return cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def solarise(rgb: np.ndarray) -> np.ndarray:
    """Values from 128 on are inverted."""
    return cv2.LUT(rgb, _SOLARISED)


def blur(rgb: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian, sigma in pixels."""
    return cv2.GaussianBlur(rgb, (0, 0), sigma)


_VALUES = np.arange(256, dtype=np.uint8)
_SOLARISED = np.where(_VALUES < 128, _VALUES, 255 - _VALUES)
