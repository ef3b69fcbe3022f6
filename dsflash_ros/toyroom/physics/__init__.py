"""MuJoCo: letting a room settle, and what its state tells of contacts and support."""
