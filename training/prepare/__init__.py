"""Rows of a table made ready for learning.

Tiers are matched, costs filled in, adequacy judged, groups and gaps found, and the rows dealt to three parts.
"""
