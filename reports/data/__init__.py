"""Reads and checks the files; says what a cell, a profile and the results consist of."""
