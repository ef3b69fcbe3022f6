"""A segmenter in whose features a calibrated diffusion model's UNet sees (SPADE, section 3)."""
