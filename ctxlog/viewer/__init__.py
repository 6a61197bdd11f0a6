"""
The command line's reading side: log files seen request by request. An edge.
"""
