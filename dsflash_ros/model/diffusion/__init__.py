"""A text-to-image diffusion model as a prior for scene graphs (SPADE, section 3.1).

What is here runs a UNet of diffusers' and looks into it; `training.diffusion` calibrates it, and
`segmenters.diffusion` finds segments in its features.
"""
