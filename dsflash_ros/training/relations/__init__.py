"""Training of the relation stage."""
