"""What runs a model for the pipeline. `base.py` says what a backend is."""
