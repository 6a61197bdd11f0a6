"""
The pages about coming from another library, run with that library.
"""
