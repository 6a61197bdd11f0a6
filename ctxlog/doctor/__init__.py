"""
`ctxlog doctor`: what an application lacks until every line has its request's id.

The application is imported, and what it has become is examined: the handlers that a
line would pass, the adapters that are installed. Nothing is served or written.
"""
