"""The operator's desk: starts the house, and mends it."""
