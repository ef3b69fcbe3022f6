"""Classes of segments by a second view of the image, that of a CLIP."""

from collections.abc import Sequence

import numpy as np
import torch

from dsflash_ros.graph.words import plain_words
from dsflash_ros.language.clip_images import ClipImages
from dsflash_ros.model.segmenters.segmentation import Segmentation

KNOWN_SHARE, NEW_SHARE = 0.35, 0.65
"""How much CLIP counts for a class that the weights learned, and for one that they did not (ODISE;
Xu et al., CVPR 2023). SPADE gives it 0.66 for all: its exponent of the other is 0.34.
"""

PROMPT = "a photo of a {}"
"""What CLIP is told of the name of a class."""


class ImageEvidence:
    """Mixes what a CLIP says of the classes of segments with what a segmenter says."""

    def __init__(self, clip: ClipImages) -> None:
        """`name` has to say of which classes before anything else."""
        self._clip = clip
        self._embedded: dict[str, torch.Tensor] = {}
        self._names = self._shares = torch.zeros(0)

    def name(self, classes: Sequence[str], is_new: Sequence[bool]) -> None:
        """Tell these classes apart from now on.

        `is_new`: which of them the weights did not learn.
        """
        phrases = [PROMPT.format(plain_words(name)) for name in classes]
        strange = [phrase for phrase in phrases if phrase not in self._embedded]
        vectors = torch.from_numpy(self._clip.text.encode(strange))
        embedded = self._embedded | dict(zip(strange, vectors, strict=True))
        self._embedded = {phrase: embedded[phrase] for phrase in phrases}
        self._names = torch.stack(list(map(embedded.get, phrases))).to(self._clip.device)
        shares = [NEW_SHARE if new else KNOWN_SHARE for new in is_new]
        self._shares = torch.tensor(shares, device=self._clip.device)

    @torch.inference_mode()
    def mixed(self, images, found: Segmentation) -> Segmentation:
        """What was found, with class logits in which both have their say.

        Args:
            images: B as `Steps.network_input` gives them: (B, 3, S, S) float32, 0 to 1, or
                (B, S, S, 3) uint8.
            found: in them, with logits of the named classes.
        """
        pixels, logits = torch.as_tensor(images), torch.as_tensor(found.class_logits).float()
        if pixels.dtype == torch.uint8:
            pixels = pixels.permute(0, 3, 1, 2).float() / 255
        seen = self._clip.regions(pixels, (torch.as_tensor(found.mask_logits) > 0).float())
        mixed = mixed_logits(logits, self._clip.scale * (seen @ self._names.T), self._shares)
        both = torch.where(seen.any(-1, keepdim=True), mixed, logits)  # empty masks show nothing
        return found._replace(
            class_logits=both.numpy() if isinstance(found.class_logits, np.ndarray) else both
        )


def mixed_logits(
    logits: torch.Tensor, evidence: torch.Tensor, shares: torch.Tensor
) -> torch.Tensor:
    """Class logits of two views as one: P of a class becomes P^(1 - a) P'^a, normalised.

    "No object" keeps its probability.

    Args:
        logits: (..., C + 1), the last of "no object".
        evidence: (..., C), of the other view.
        shares: (C,), a of each class, 0 to 1.
    """
    classes, none = logits[..., :-1], logits[..., -1:]
    whole = classes.logsumexp(-1, keepdim=True)
    mixed = (1 - shares) * (classes - whole) + shares * evidence.log_softmax(-1)
    return torch.cat((mixed - mixed.logsumexp(-1, keepdim=True) + whole, none), dim=-1)
