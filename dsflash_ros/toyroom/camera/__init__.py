"""Cameras in rooms: viewpoints, rendering, drives, data sets, and sheets of samples."""
