"""The rule that routes and what is certified of it.

Tests and their bounds, the rows that they may rest on, and the ledger of tries.
"""
