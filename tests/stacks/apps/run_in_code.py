"""
`uvicorn.run()` in code: uvicorn configures logging after the application did.
"""

import os

import uvicorn
from starlette_app import app

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["STACKS_PORT"]))
