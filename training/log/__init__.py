"""What an outcome store observed, as arrays: decisions, chances, tries and scores; and its export as a table."""
