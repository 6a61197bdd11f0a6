"""
`ctxlog ship`: an agent beside the application, which sends its lines to a store.
"""
