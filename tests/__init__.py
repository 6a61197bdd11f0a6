"""
The tests: they run against the installed ctxlog, not against the checkout.

A package, so that a test module can say `from tests.helpers import need`: pytest's
importlib mode leaves this folder and its parent off `sys.path`.
"""
