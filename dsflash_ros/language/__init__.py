"""Words: what names mean to weights that know them by text embeddings (open vocabulary)."""
