"""A robot that stands in a room: it drives, sees, picks things up and puts them down."""
