"""What is said of it, in words and traced numbers."""
