"""
Requests to look at: a local page, and pages that stand alone.
"""
