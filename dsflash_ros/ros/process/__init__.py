"""What the process of a ROS node needs: transport, memory, lifecycle."""
