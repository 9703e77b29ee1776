"""Says in words and traced numbers what was found."""
