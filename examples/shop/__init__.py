"""
A small shop behind FastAPI: who asks, and what each line of log knows about it.

Run it with `uvicorn shop.app:app --app-dir examples`.
"""
