"""Where scene graphs go: JSON lines, pictures, videos, and a folder of them."""
