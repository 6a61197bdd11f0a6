"""
Django under ASGI: async views, and a sync one.
"""

import asyncio

import work
import work_async
from django.conf import settings
from django.core.asgi import get_asgi_application
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
)


async def plain(request: HttpRequest, token: str) -> HttpResponse:
    work.say(token, "started")
    body = request.body
    work.say(token, "read")
    return HttpResponse(body)


def sync(request: HttpRequest, token: str) -> HttpResponse:
    work.say(token, "started")
    return HttpResponse("ok")


async def threads(request: HttpRequest, token: str) -> HttpResponse:
    await work_async.in_executors(token)
    return HttpResponse("ok")


async def background(request: HttpRequest, token: str) -> HttpResponse:
    work_async.start_later(token)
    task = asyncio.create_task(work_async.background(token))
    work_async.running.add(task)
    task.add_done_callback(work_async.running.discard)
    return HttpResponse("ok")


async def stream(request: HttpRequest, token: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(work_async.stream(token))


async def exception(request: HttpRequest, token: str) -> HttpResponse:
    work.say(token, "started")
    work.crash(token, "crash")
    return HttpResponse("never")


async def disconnect(request: HttpRequest, token: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(work_async.endless(token))


async def user(request: HttpRequest, token: str) -> HttpResponse:
    work.authenticate(token)
    return HttpResponse("ok")


views = [plain, sync, threads, background, stream, exception, disconnect, user]
urlpatterns = [
    *(path(f"{view.__name__}/<token>", view) for view in views),
    path("mounted/", include([path("items/<token>", sync)])),
]
app = get_asgi_application()
