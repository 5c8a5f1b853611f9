"""Floor 2: the live conversation."""
