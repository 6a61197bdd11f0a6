"""
Finding the requests that are asked for.
"""
