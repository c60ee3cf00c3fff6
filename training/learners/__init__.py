"""Models that expect each tier's quality and cost.

What they see of a request, how they are fitted, blended and calibrated.
"""
