"""Lays the tables out and fills them, the figures and the sentences into templates/."""
