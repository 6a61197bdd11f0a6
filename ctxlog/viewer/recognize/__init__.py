"""
Lines of any logger read as what they mean.
"""
