"""Training with diffusion models: a small one of its own, and the calibration of any."""
