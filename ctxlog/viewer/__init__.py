"""
The command line's reading side: log files, request by request.

A pipeline of rooms; each imports only from the rooms before it: `read` (files as
lines), `recognize` (lines as records), `group` (records as requests), `query` (the
requests that are asked for), `show` (requests as text) and `commands`.
"""
