"""
Log files, compressed files and standard input as bytes: blocks, lines, tails.
"""
