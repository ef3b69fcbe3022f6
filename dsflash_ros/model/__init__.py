"""The model: tensors in, tensors out. No ROS, no image files."""
