"""Arrays and graphs to ROS messages and back."""
