"""Random changes of colour, on (H, W, 3) uint8 RGB images.

OpenCV computes them: torchvision's differ by a grey level at most and take 3 to 30 times as long.
"""

import cv2
import numpy as np

Random = np.random.Generator


def deit3_colours(rgb: np.ndarray, random: Random) -> np.ndarray:
    """Colour jitter of 0.3, then grayscale, solarisation or Gaussian blur (DSFlash, section 3.6).

    The strengths are those of DeiT III (Touvron et al., ECCV 2022).
    """
    for change in random.permutation([brightness, contrast, saturation]):
        rgb = change(rgb, random.uniform(0.7, 1.3))
    change = random.choice([grayscale, solarise, blur])
    return blur(rgb, random.uniform(0.1, 2.0)) if change is blur else change(rgb)


def brightness(rgb: np.ndarray, factor: float) -> np.ndarray:
    """Factor 0 gives black, 1 the image."""
    return cv2.convertScaleAbs(rgb, alpha=factor)


def contrast(rgb: np.ndarray, factor: float) -> np.ndarray:
    """Factor 0 gives the image's mean grey, 1 the image."""
    mean = cv2.mean(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))[0]
    return cv2.addWeighted(rgb, factor, rgb, 0, (1 - factor) * mean)


def saturation(rgb: np.ndarray, factor: float) -> np.ndarray:
    """Factor 0 gives grey, 1 the image."""
    return cv2.addWeighted(rgb, factor, grayscale(rgb), 1 - factor, 0)


def grayscale(rgb: np.ndarray) -> np.ndarray:
    """Give the three channels the pixel's grey."""
    return cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def solarise(rgb: np.ndarray) -> np.ndarray:
    """Invert values from 128 on."""
    return cv2.LUT(rgb, _SOLARISED)


def blur(rgb: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur, sigma in pixels."""
    return cv2.GaussianBlur(rgb, (0, 0), sigma)


_VALUES = np.arange(256, dtype=np.uint8)
_SOLARISED = np.where(_VALUES < 128, _VALUES, 255 - _VALUES)
