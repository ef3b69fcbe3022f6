"""Building rooms: shapes, furniture, things, people, and where they are put."""
