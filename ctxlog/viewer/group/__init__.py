"""
The lines of one request, together.
"""
