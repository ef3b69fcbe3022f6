"""Where scene graphs go: JSON lines, pictures, videos."""
