"""The true scene graph of a picture, from the state of the simulation."""
