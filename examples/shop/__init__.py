"""
A small shop behind FastAPI: who asks, and what each line of log knows about it.

Its modules log with three loggers; it needs the extra `demo`. Run it with
`uvicorn shop.app:app --app-dir examples`.
"""
