"""Pictures of scene graphs, and the lettering on them."""
