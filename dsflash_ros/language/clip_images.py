"""What a CLIP sees in the segments of an image."""

from pathlib import Path
from typing import TYPE_CHECKING

from dsflash_ros.errors import LanguageError
from dsflash_ros.language.neural_encoders import (
    WEIGHTS_FILE,
    NeuralEncoder,
    encoder_folder,
    no_load_report,
)

if TYPE_CHECKING:
    import torch

MEAN = 0.48145466, 0.4578275, 0.40821073
DEVIATION = 0.26862954, 0.26130258, 0.27577711
"""Of red, green and blue, 0 to 1, in the images that CLIPs learned from."""

_SCALE = "logit_scale"


class ClipImages:
    """CLIP's features of segments. Those of a phrase that fits are alike.

    CLIP has one feature for a whole image. For one at each patch, the attention of its last block
    is left out, so that a patch only sees itself there (MaskCLIP; Zhou et al., ECCV 2022).

    Attributes:
        text: encodes the phrases, by the same CLIP, on the CPU.
        device: where images are looked at.
        scale: what CLIP multiplies cosines with before their softmax.
    """

    def __init__(self, folder: Path, device: "str | torch.device" = "cpu") -> None:
        """The CLIP of a folder in the layout of transformers, in float32.

        Raises `LanguageError` when there is none, and `MissingExtraError`.
        """
        self.text = NeuralEncoder(folder)
        if not self.text.is_clip:
            raise LanguageError(f"{folder} holds no CLIP, which an image encoder must be")
        import torch
        from safetensors.torch import safe_open
        from transformers import CLIPVisionModelWithProjection

        with safe_open(folder / WEIGHTS_FILE, "pt") as stored:
            if _SCALE not in set(stored.keys()):
                raise LanguageError(f"{folder} holds half of a CLIP, and both halves are needed")
            self.scale = float(stored.get_tensor(_SCALE).exp())
        with no_load_report():
            model, report = CLIPVisionModelWithProjection.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
        if report["missing_keys"]:
            missing = sorted(report["missing_keys"])[0]
            raise LanguageError(f"the CLIP in {folder} is damaged: {missing} is missing")
        self.device = torch.device(device)
        self._vision = model.to(self.device).eval()
        blocks = self._vision.vision_model.encoder.layers
        self._last = blocks[-1]
        self._vision.vision_model.encoder.layers = blocks[:-1]
        self._side, self._patch = model.config.image_size, model.config.patch_size
        colours = torch.tensor((MEAN, DEVIATION), device=self.device).view(2, 3, 1, 1)
        self._mean, self._deviation = colours

    def regions(self, images: "torch.Tensor", masks: "torch.Tensor") -> "torch.Tensor":
        """Features of segments: means over their masks.

        Args:
            images: (B, 3, S, S) float32, 0 to 1, on the device.
            masks: (B, Q, h, w) float32, 0 to 1, how far each pixel belongs to each of Q segments.

        Returns (B, Q, D) float32 of length 1, on the device; zeros for empty masks.
        """
        import torch
        import torch.nn.functional as F

        with torch.inference_mode():
            shares = F.adaptive_avg_pool2d(masks, self._side // self._patch).flatten(2)
            return F.normalize(shares @ self._patches(images), dim=-1)

    def _patches(self, images: "torch.Tensor") -> "torch.Tensor":
        """(B, 3, S, S) to (B, grid * grid, D), where text embeddings are, each of length 1."""
        import torch.nn.functional as F

        size = self._side, self._side
        small = F.interpolate(images, size, mode="bicubic", antialias=True).clamp(0, 1)
        pixels = (small - self._mean) / self._deviation
        vision, last = self._vision.vision_model, self._last
        tokens = vision(pixel_values=pixels).last_hidden_state[:, 1:]
        itself = last.self_attn.out_proj(last.self_attn.v_proj(last.layer_norm1(tokens)))
        tokens = tokens + itself
        tokens = tokens + last.mlp(last.layer_norm2(tokens))
        features = self._vision.visual_projection(vision.post_layernorm(tokens))
        return F.normalize(features, dim=-1)


def open_clip(name: str, device: "str | torch.device" = "cpu") -> ClipImages:
    """The CLIP of a folder, or of a hub id as in `org/name`, downloaded once.

    Raises `LanguageError` when it cannot be had, and `MissingExtraError`.
    """
    return ClipImages(encoder_folder(name, "image encoder"), device)
