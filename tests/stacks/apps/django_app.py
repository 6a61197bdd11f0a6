"""
Django under WSGI, and its runserver.
"""

import sys

import work
from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import include, path

import ctxlog

ctxlog.configure(format="json")
settings.configure(
    ROOT_URLCONF=__name__,
    SECRET_KEY="of a test",
    ALLOWED_HOSTS=["127.0.0.1"],
    MIDDLEWARE=[
        "ctxlog.servers.django.ContextMiddleware",
        "django.middleware.common.CommonMiddleware",
    ],
    LOGGING_CONFIG=None,
    WSGI_APPLICATION=f"{__name__}.app",
)


def plain(request: HttpRequest, token: str) -> HttpResponse:
    work.say(token, "started")
    body = request.body
    work.say(token, "read")
    return HttpResponse(body)


def sync(request: HttpRequest, token: str) -> HttpResponse:
    work.say(token, "started")
    return HttpResponse("ok")


def threads(request: HttpRequest, token: str) -> HttpResponse:
    work.in_threads(token)
    return HttpResponse("ok")


def background(request: HttpRequest, token: str) -> HttpResponse:
    work.start_later(token)
    work.pool.submit(work.background, token)
    return HttpResponse("ok")


def stream(request: HttpRequest, token: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(work.stream(token))


def exception(request: HttpRequest, token: str) -> HttpResponse:
    work.say(token, "started")
    work.crash(token, "crash")
    return HttpResponse("never")


def disconnect(request: HttpRequest, token: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(work.endless(token))


def user(request: HttpRequest, token: str) -> HttpResponse:
    work.authenticate(token)
    return HttpResponse("ok")


views = [plain, sync, threads, background, stream, exception, disconnect, user]
urlpatterns = [
    *(path(f"{view.__name__}/<token>", view) for view in views),
    path("mounted/", include([path("items/<token>", sync)])),
]
app = get_wsgi_application()

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
