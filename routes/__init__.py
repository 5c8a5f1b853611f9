"""Floor 3: where meaning crosses the wall."""
