"""Images as arrays: decoding, camera encodings, letterboxing. Imports neither torch nor ROS."""
