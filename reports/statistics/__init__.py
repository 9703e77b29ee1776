"""Paired ratios and their intervals, pooled cells, comparisons of two runs."""
