"""
A Django project in one file: every line of a request has its id.

    python examples/django_app.py runserver --noreload 8000

    gunicorn --chdir examples django_app:application
    uvicorn --app-dir examples django_app:asgi_application

Then `curl -i -H 'X-Request-ID: req-A' localhost:8000/users/7`.
"""

import logging
import sys
from pathlib import Path

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
from django.urls import path

import ctxlog

ctxlog.configure(format="json")

settings.configure(
    ROOT_URLCONF=__name__,
    SECRET_KEY="only an example",
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=[
        "ctxlog.servers.django.ContextMiddleware",  # first
        "django.middleware.common.CommonMiddleware",
    ],
    CTXLOG={"ignore_paths": ["/health"]},
    LOGGING_CONFIG=None,  # ctxlog.configure() has done it
    BASE_DIR=Path(__file__).parent,
)
django.setup()

log = logging.getLogger("shop")


def health(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def user(request: HttpRequest, number: int) -> JsonResponse:
    ctxlog.bind(user={"id": number})
    log.info("Fetching details")
    return JsonResponse({"id": number})


async def user_async(request: HttpRequest, number: int) -> JsonResponse:
    ctxlog.bind(user={"id": number})
    log.info("Fetching details")
    return JsonResponse({"id": number})


def export(request: HttpRequest) -> StreamingHttpResponse:
    def rows():
        for number in range(3):
            log.info("Writing row %d", number)
            yield f"{number}\n"

    return StreamingHttpResponse(rows(), content_type="text/csv")


def crash(request: HttpRequest) -> JsonResponse:
    raise ValueError("Out of stock")


urlpatterns = [
    path("health", health),
    path("users/<int:number>", user),
    path("async/users/<int:number>", user_async),
    path("export", export),
    path("crash", crash),
]

application = get_wsgi_application()
asgi_application = get_asgi_application()

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
