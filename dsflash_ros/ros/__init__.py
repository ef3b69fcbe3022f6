"""Everything that knows ROS messages. Importing this package does not import rclpy."""
