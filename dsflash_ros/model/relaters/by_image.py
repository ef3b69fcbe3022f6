"""Rows that belong to the images of a batch, side by side: as many places for each image."""

import torch


class ByImage:
    """Lays out rows, (R, ...), as (B, places, ...) and back. A place that no row has is zero.

    Attributes:
        taken: (B, places) bool, which places have a row; None when all have, as in a batch of one.
    """

    def __init__(self, images: torch.Tensor, batch: int) -> None:
        """`images`: (R,) int64, the image of each row, in any order. `batch`: B."""
        self._where = self.taken = None
        if batch == 1:  # as on a robot: nothing to sort
            return
        counts = images.bincount(minlength=batch)
        order = images.argsort(stable=True)
        first = counts.cumsum(0) - counts
        places = torch.empty_like(images)
        places[order] = torch.arange(len(images), device=images.device) - first[images[order]]
        self._where = images, places
        self._shape = batch, int(counts.max())
        self.taken = self.lay_out(torch.ones_like(images, dtype=torch.bool))

    def lay_out(self, rows: torch.Tensor) -> torch.Tensor:
        """(R, ...) to (B, places, ...)."""
        if self._where is None:
            return rows.unsqueeze(0)
        laid_out = rows.new_zeros(*self._shape, *rows.shape[1:])
        laid_out[self._where] = rows
        return laid_out

    def pick(self, laid_out: torch.Tensor) -> torch.Tensor:
        """(B, places, ...) to (R, ...), in the order that the rows had."""
        return laid_out[0] if self._where is None else laid_out[self._where]

    def pick_pairs(self, laid_out: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
        """(B, places, places, ...) to (n, ...): for each pair of rows, (n, 2), of one image."""
        a, b = pairs.unbind(1)
        if self._where is None:
            return laid_out[0, a, b]
        images, places = self._where
        return laid_out[images[a], places[a], places[b]]
