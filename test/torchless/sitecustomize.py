"""Makes processes with this folder in PYTHONPATH find no PyTorch."""

import sys

print("torch is not here", file=sys.stderr)  # a test looks for it

for name in ("torch", "torchvision", "timm"):
    sys.modules[name] = None
