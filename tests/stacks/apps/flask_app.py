"""
Flask.
"""

import work
from flask import Blueprint, Flask, Response, request, stream_with_context

import ctxlog
import ctxlog.servers.flask

ctxlog.configure(format="json")

app = Flask(__name__)
ctxlog.servers.flask.init_app(app)
mounted = Blueprint("mounted", __name__, url_prefix="/mounted")


@app.post("/plain/<token>")
def plain(token: str) -> bytes:
    work.say(token, "started")
    body = request.get_data()
    work.say(token, "read")
    return body


@mounted.get("/items/<token>")
@app.get("/sync/<token>")
def sync(token: str) -> str:
    work.say(token, "started")
    return "ok"


@app.get("/threads/<token>")
def threads(token: str) -> str:
    work.in_threads(token)
    return "ok"


@app.get("/background/<token>")
def background(token: str) -> str:
    work.start_later(token)
    work.pool.submit(work.background, token)
    return "ok"


@app.get("/stream/<token>")
def stream(token: str) -> Response:
    return Response(stream_with_context(work.stream(token)))


@app.get("/exception/<token>")
def exception(token: str) -> str:
    work.say(token, "started")
    work.crash(token, "crash")
    return "never"


@app.get("/disconnect/<token>")
def disconnect(token: str) -> Response:
    return Response(stream_with_context(work.endless(token)))


@app.get("/user/<token>")
def user(token: str) -> str:
    work.authenticate(token)
    return "ok"


app.register_blueprint(mounted)
