"""Champion against challenger on logged requests.

Estimators, overlap, sequential tests, and the contest that promotes.
"""
