"""Floor 2: moving pictures."""
