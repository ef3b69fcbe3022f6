"""Arrays of either library: PyTorch's, on any device, or NumPy's. Imports no torch."""

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import torch

    Array: TypeAlias = torch.Tensor | np.ndarray
