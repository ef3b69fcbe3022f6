"""Models as files that run without PyTorch: making them, and checking them against PyTorch."""
