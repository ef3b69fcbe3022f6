"""Rows that belong to the images of a batch, side by side: as many places for each image."""

import torch


class ByImage:
    """Lays out rows, (R, ...), as (B, places, ...) and back. A place that no row has is zero.

    Attributes:
        taken: (B, places) bool, which places have a row.
    """

    def __init__(self, images: torch.Tensor, batch: int) -> None:
        """`images`: (R,) int64, the image of each row, in any order. `batch`: B."""
        counts = images.bincount(minlength=batch)
        order = images.argsort(stable=True)
        first = counts.cumsum(0) - counts
        places = torch.empty_like(images)
        places[order] = torch.arange(len(images), device=images.device) - first[images[order]]
        self._where = images, places
        self._shape = batch, int(counts.max()) if len(counts) else 0
        self.taken = self.lay_out(torch.ones_like(images, dtype=torch.bool))

    def lay_out(self, rows: torch.Tensor) -> torch.Tensor:
        """(R, ...) to (B, places, ...)."""
        laid_out = rows.new_zeros(*self._shape, *rows.shape[1:])
        laid_out[self._where] = rows
        return laid_out

    def pick(self, laid_out: torch.Tensor) -> torch.Tensor:
        """(B, places, ...) to (R, ...), in the order that the rows had."""
        return laid_out[self._where]

    def pick_pairs(self, laid_out: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
        """(B, places, places, ...) to (n, ...): for each pair of rows, (n, 2), of one image."""
        images, places = self._where
        a, b = pairs.unbind(1)
        return laid_out[images[a], places[a], places[b]]
