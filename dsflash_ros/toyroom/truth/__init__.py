"""The true scene graph of an image, from the simulator's state."""
