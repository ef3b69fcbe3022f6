"""Physics, by MuJoCo: rooms settle, and their state tells what touches, bears and sees what."""
