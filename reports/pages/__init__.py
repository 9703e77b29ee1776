"""The pages and their tables; templates/ is what they are filled into."""
