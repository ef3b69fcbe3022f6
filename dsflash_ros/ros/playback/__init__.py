"""Publishing and recording what a camera sees."""
