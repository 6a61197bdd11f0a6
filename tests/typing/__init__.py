"""
Code that must type check; it is never run.

`mypy --strict` and pyright read this folder. It is a package because a folder on
`sys.path` that holds a module of its own would shadow the standard library's `typing`.
"""
