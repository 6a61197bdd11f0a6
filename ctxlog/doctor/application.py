"""
Import an application as its server would, without serving it.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import socket
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ctxlog import config
from ctxlog._patch import Patch

#: The variable of the environment that names Django's settings.
DJANGO_SETTINGS = "DJANGO_SETTINGS_MODULE"

_PACKAGE = Path(config.__file__).parent.parent


class CannotImportError(Exception):
    """The application cannot be imported; the message is one sentence."""


class _Serves(BaseException):
    """The import opens a port. Not an `Exception`: applications catch those."""


@dataclass(frozen=True)
class Call:
    """A call of `configure()`: where it stands in the code, and its options."""

    file: str
    line: int
    options: dict[str, Any]


@dataclass(frozen=True)
class Application:
    """
    An application that has been imported.

    Attributes:
        subject: What was named on the command line, or the directory.
        module: Its module; None if none was named.
        name: The application's name in the module; None if only a module was named.
        object: The application; None if the target names none.
        factory: The function that has made it, as it was named.
        calls: The calls of `configure()`, in their order.
        django: The module of Django's settings, if Django is set up.
    """

    subject: str
    module: ModuleType | None
    name: str | None
    object: Any
    factory: str | None
    calls: list[Call]
    django: ModuleType | None

    @property
    def file(self) -> str | None:
        """The file of the application's module, or of Django's settings."""
        module = self.django or self.module
        return None if module is None else shown(module.__file__)

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been imported: there was nothing to import."""
        return self.module is None and self.django is None

    def modules(self) -> Iterator[ModuleType]:
        """
        Yield the modules of the application's own.

        Those of its package, wherever that is installed, and those below the directory
        that are no installed library's.
        """
        here = Path.cwd()
        package = self.module.__name__.partition(".")[0] if self.module else None
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if not isinstance(file, str):
                continue
            below = Path(file).is_relative_to(here) and "site-packages" not in file
            if name.partition(".")[0] == package or below:
                yield module

    def name_of(self, wanted: object) -> str | None:
        """Return `module.name` of an object of the application, if it has such."""
        for module in self.modules():
            for name, value in list(vars(module).items()):
                if value is wanted:
                    return f"{module.__name__}.{name}"
        return None

    def origin(self, name: str, value: object) -> str | None:
        """Return the file of the module that others have imported a value from."""
        files = [
            module.__file__
            for module in self.modules()
            if vars(module).get(name) is value
        ]
        # A module moves to the end of `sys.modules` when its import is complete: those
        # that import others come after them.
        return shown(files[0]) if files else None

    def home(self, library: str) -> str | None:
        """Return the file of the module that makes the objects of a library."""
        files = [
            module.__file__
            for module in self.modules()
            if any(_is_made_with(library, one) for one in list(vars(module).values()))
        ]
        return shown(files[0]) if files else None


def _is_made_with(library: str, value: object) -> bool:
    """Return whether a value is an instance of a class of a library."""
    return type(value).__module__.partition(".")[0] == library


def shown(file: str | None) -> str | None:
    """Return a path as people write it: relative to the directory if it is below."""
    if file is None:
        return None
    path = Path(file)
    return (
        str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
    )


def load(target: str | None) -> Application:
    """
    Import what a target names, with all that this does to logging.

    Args:
        target: `MODULE:APP`, `MODULE:factory()`, or a `MODULE` alone; None for what
            the directory and the environment say: Django's settings, or nothing.

    Raises:
        CannotImportError: if it cannot be imported, or is no such application.
    """
    sys.path.insert(0, str(Path.cwd()))
    # Flask leaves `app.run()` out under its own command line, for the same reason.
    os.environ.setdefault("FLASK_RUN_FROM_CLI", "true")
    with _noted_calls() as calls:
        if target is None:
            module, name, made, factory = None, None, None, None
            target = str(Path.cwd())
            _set_up_django(_django_settings())
        else:
            module, name, made, factory = _load(target)
        found = _configured_django(module)
        return Application(target, module, name, made, factory, calls, found)


@contextmanager
def _noted_calls() -> Iterator[list[Call]]:
    calls: list[Call] = []

    def configure(previous: Any, **options: Any) -> None:
        frame = sys._getframe(1)
        while frame.f_back is not None and Path(
            frame.f_code.co_filename
        ).is_relative_to(_PACKAGE):
            frame = frame.f_back
        previous(**options)
        calls.append(Call(frame.f_code.co_filename, frame.f_lineno, options))

    patch = Patch(config, "configure", configure)
    patch.install()
    try:
        yield calls
    finally:
        patch.uninstall()


def _load(target: str) -> tuple[ModuleType, str | None, Any, str | None]:
    path, colon, name = target.partition(":")
    called = name.endswith("()")
    name = name.removesuffix("()")
    parts = (*path.split("."), *(name.split(".") if colon else ()))
    if not all(part.isidentifier() for part in parts):
        raise CannotImportError(
            f"{target}: must be MODULE:APP, as servers take it, such as shop:app or "
            "'shop:create_app()'"
        )
    module = _import(path)
    if not colon:
        return module, None, None, None
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
        if found is None:
            raise CannotImportError(f"{path} has no {part!r}")
    if not called:
        if inspect.isfunction(found) and not inspect.signature(found).parameters:
            raise CannotImportError(
                f"{name} is a function that makes an application: write "
                f"'{path}:{name}()'"
            )
        return module, name, found, None
    with _explained(f"{path}:{name}()"):
        return module, None, found(), name


def _import(path: str) -> ModuleType:
    with _explained(path):
        return importlib.import_module(path)
    raise AssertionError("unreachable")


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Raise what an import ends with as a `CannotImportError`; let it open no port."""
    _guard.active = True
    try:
        yield
    except _Serves as error:
        raise CannotImportError(
            f"{what} starts a server when it is imported ({error}): put that under "
            "`if __name__ == '__main__':`"
        ) from None
    except (Exception, SystemExit) as error:  # the application's, so it may be any
        last = traceback.format_exception_only(error)[-1].strip()
        raise CannotImportError(f"cannot import {what}: {last}{_at(error)}") from error
    finally:
        _guard.active = False


def _at(error: BaseException) -> str:
    """Return the place in the application where an exception was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    here = str(Path.cwd())
    own = [one for one in frames if one.filename.startswith(here)]
    return f" ({shown(own[-1].filename)}, line {own[-1].lineno})" if own else ""


class _Guard:
    """Refuses to bind a port while it is active; audit hooks stay for good."""

    active = False
    hooked = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.active or event != "socket.bind":
            return
        opened, address = arguments
        # Without a port it is nothing that a client could know.
        if (
            opened.type == socket.SOCK_STREAM
            and isinstance(address, tuple)
            and address[1]
        ):
            raise _Serves(f"it listens on port {address[1]}")


_guard = _Guard()


def guard() -> None:
    """Let no application that is imported from now on open a port; again, a no-op."""
    if not _guard.hooked:
        _guard.hooked = True
        sys.addaudithook(_guard)


# Django -------------------------------------------------------------------------


def _django_settings() -> str | None:
    """Return the name of Django's settings: the environment's, or `manage.py`'s."""
    named = os.environ.get(DJANGO_SETTINGS)
    manage = Path("manage.py")
    if named or not manage.is_file():
        return named
    pattern = rf"{DJANGO_SETTINGS}['\"]\s*,\s*['\"]([\w.]+)"
    found = re.search(pattern, manage.read_text(encoding="utf-8"))
    return found[1] if found else None


def _set_up_django(settings: str | None) -> None:
    if settings is not None:
        os.environ[DJANGO_SETTINGS] = settings
        library = "django"
        with _explained(settings):
            importlib.import_module(library).setup()


def _configured_django(module: ModuleType | None) -> ModuleType | None:
    """Return the module of Django's settings: *module* if they are made in the code."""
    conf = sys.modules.get("django.conf")
    if conf is None or not conf.settings.configured:
        return None
    named = getattr(conf.settings, "SETTINGS_MODULE", None)
    return sys.modules.get(named) if named else module
