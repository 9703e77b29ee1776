"""What samples say: paired ratios and their intervals, pooled cells, two runs beside each other."""
