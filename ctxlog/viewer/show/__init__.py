"""
Requests as text, tables and pages.
"""
