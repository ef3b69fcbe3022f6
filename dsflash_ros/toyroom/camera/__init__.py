"""Pictures of rooms: where cameras stand, rendering, drives, data sets, sheets of samples."""
