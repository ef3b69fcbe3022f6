"""What stands in a room: shapes, furniture, people, and rooms made of them."""
