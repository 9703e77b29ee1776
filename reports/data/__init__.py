"""The files, read and checked: what a cell, a profile and the results consist of."""
