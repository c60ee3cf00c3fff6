"""How good a way of routing is on rows: quality, cost, intervals and cost-quality curves."""
