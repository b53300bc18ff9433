"""A room with a heartbeat that counts."""
