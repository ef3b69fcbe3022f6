"""What segments look like, made comparable."""

import numpy as np


class Standardizer:
    """Centres and scales the segmenter's features by what was seen so far.

    Raw features of any two segments are much alike (cosines of 0.9); what tells them apart are the
    differences from the mean.
    """

    def __init__(self) -> None:
        self._count = 0
        self._mean = self._squares = None

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """(S, D) to (S, D) float32 of unit length; the rows count from now on."""
        features = np.asarray(features, np.float64)
        if self._mean is None or self._mean.shape != features.shape[1:]:
            self._count = 0
            self._mean = np.zeros(features.shape[1])
            self._squares = np.zeros(features.shape[1])
        self._take(features)
        deviation = np.sqrt(self._squares / max(self._count, 1))
        standard = (features - self._mean) / np.maximum(deviation, 1e-6)
        lengths = np.linalg.norm(standard, axis=1, keepdims=True)
        return (standard / np.maximum(lengths, 1e-6)).astype(np.float32)

    def _take(self, features: np.ndarray) -> None:
        """Update mean and sum of squared deviations (Chan et al., 1979)."""
        count = len(features)
        if not count:
            return
        total = self._count + count
        mean = features.mean(0)
        shift = mean - self._mean
        self._squares += ((features - mean) ** 2).sum(0)
        self._squares += shift**2 * self._count * count / total
        self._mean += shift * count / total
        self._count = total
