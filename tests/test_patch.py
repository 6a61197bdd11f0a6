"""
`Patch`, over and under what others put around the same functions.
"""

from __future__ import annotations

import ast
import asyncio
import functools
import importlib
import inspect
import unittest.mock
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import wrapt

import ctxlog
from ctxlog._patch import Patch
from tests.helpers import need
from tests.patches import KINDS, Closure, Theirs, forward, judge, steps

# Whatever is stored under a name ------------------------------------------------


class _Called:
    """
    Has no `__get__`, so that it is not bound to an instance.
    """

    def __call__(self, *args: object, **kwargs: object) -> object:
        return "called", args, kwargs


class _Made(list[object]):
    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__((args, kwargs))


class _Other:
    def take(self, *args: object, **kwargs: object) -> object:
        return "bound to another", args, kwargs


def _function(self: object, *args: object, **kwargs: object) -> object:
    """
    Return what it was called with.
    """
    return self, args, kwargs


@functools.wraps(_function)
def _wrapped(*args: Any, **kwargs: Any) -> object:
    return _function(*args, **kwargs)


@wrapt.decorator
def _wrapt(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> object:
    return "wrapt", type(instance), wrapped(*args, **kwargs)


def _of_class(cls: type, *args: object, **kwargs: object) -> object:
    return cls, args, kwargs


def _of_nothing(*args: object, **kwargs: object) -> object:
    return args, kwargs


STORED: dict[str, Callable[[], Any]] = {
    "a function": lambda: _function,
    "functools.wraps": lambda: _wrapped,
    "wrapt": lambda: _wrapt(_function),
    "wrapt of wrapt": lambda: _wrapt(_wrapt(_function)),
    "a static method": lambda: staticmethod(_of_nothing),
    "a class method": lambda: classmethod(_of_class),
    "wrapt of a static method": lambda: _wrapt(staticmethod(_of_nothing)),
    "wrapt of a class method": lambda: _wrapt(classmethod(_of_class)),
    "a partial": lambda: staticmethod(functools.partial(_of_nothing, "first")),
    "a partial method": lambda: functools.partialmethod(_function, "first"),
    "a single dispatch": lambda: functools.singledispatchmethod(_function),
    "a callable object": _Called,
    "a method of another object": lambda: _Other().take,
    "a class": lambda: _Made,
    "a mock": lambda: unittest.mock.Mock(side_effect=_of_nothing),
}


def _hand_on(previous: Callable[..., object], /, *args: Any, **kwargs: Any) -> object:
    return previous(*args, **kwargs)


class _Noting:
    """
    A wrapper that hands on what it gets, and keeps what that was.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []

    def __call__(
        self, previous: Callable[..., object], /, *args: Any, **kwargs: Any
    ) -> object:
        self.seen.append(args)
        return previous(*args, **kwargs)


CALLS: dict[str, Callable[[type, Any], object]] = {
    "bound": lambda owner, instance: instance.take(1, b=2),
    "through the class": lambda owner, instance: owner.take(instance, 1, b=2),
    "kept": lambda owner, instance: (lambda kept: kept(1))(instance.take),
    "super": lambda owner, instance: super(type(instance), instance).take(1),
}


@pytest.mark.parametrize("stored", STORED.values(), ids=STORED)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_class_keeps_its_calls(
    stored: Callable[[], Any], call: Callable[[type, Any], object]
) -> None:
    """
    What a class stores gets the arguments that it would get without the patch, however
    it is called; the wrapper is called once.
    """

    class Owner:
        take: Any = stored()

    class Sub(Owner):
        pass

    instance = Sub()
    before, expected = vars(Owner)["take"], call(Owner, instance)
    wrapper = _Noting()
    patch = Patch(Owner, "take", wrapper)
    patch.install()
    assert call(Owner, instance) == expected
    assert len(wrapper.seen) == 1
    patch.uninstall()
    assert vars(Owner)["take"] is before


@pytest.mark.parametrize("stored", STORED.values(), ids=STORED)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", ["ours on", "theirs on"])
def test_a_class_keeps_its_calls_in_company(
    stored: Callable[[], Any], kind: type[Theirs], first: str
) -> None:
    """
    Over and under another library's patch the same arguments arrive.
    """

    class Owner:
        take: Any = stored()

    instance, before = Owner(), vars(Owner)["take"]
    kind(Owner, "take").install()
    expected = instance.take(1, b=2)
    Owner.take = before
    wrapper = _Noting()
    patch = Patch(Owner, "take", wrapper)
    act = steps(patch, kind(Owner, "take"))
    for step in sorted(["ours on", "theirs on"], key=lambda step: step != first):
        act[step]()
    assert instance.take(1, b=2) == expected
    assert len(wrapper.seen) == 1


@pytest.mark.parametrize(
    "through",
    [lambda one: one.append(3), lambda one: type(one).append(one, 3)],
    ids=["bound", "through the class"],
)
def test_methods_of_c(through: Callable[[Any], None]) -> None:
    """
    A method inherited from a class in C is called, and stays inherited.
    """

    class Numbers(list[int]):
        pass

    wrapper = _Noting()
    patch = Patch(Numbers, "append", wrapper)
    patch.install()
    numbers = Numbers()
    through(numbers)
    assert (numbers, wrapper.seen) == ([3], [(numbers, 3)])
    assert inspect.signature(Numbers.append) == inspect.signature(list.append)
    patch.uninstall()
    assert "append" not in vars(Numbers)


@pytest.mark.parametrize(
    ("base", "name", "arguments"),
    [
        (int, "__add__", (1,)),
        (dict, "fromkeys", ("ab",)),
        (bytes, "maketrans", (b"a",) * 2),
    ],
    ids=["slot", "class method", "static method"],
)
def test_further_kinds_of_c(base: type, name: str, arguments: tuple[Any, ...]) -> None:
    """
    Slots, class methods and static methods of C are called as what they are.
    """
    owner: Any = type("Owner", (base,), {})
    instance = owner()
    expected = getattr(instance, name)(*arguments)
    patch = Patch(owner, name, _hand_on)
    patch.install()
    assert getattr(instance, name)(*arguments) == expected
    assert type(getattr(instance, name)(*arguments)) is type(expected)
    assert isinstance(vars(owner)[name], classmethod) is (name == "fromkeys")
    assert isinstance(vars(owner)[name], staticmethod) is (name == "maketrans")


def test_what_is_inherited_is_looked_up_by_each_call() -> None:
    """
    A wrapper that another library puts on the base class later is called, too.
    """

    class Base:
        def take(self) -> str:
            return "base"

    class Owner(Base):
        pass

    of_class, of_object = Owner(), Owner()
    Patch(Owner, "take", lambda previous, one: "class, " + previous(one)).install()
    patch = Patch(of_object, "take", lambda previous: "object, " + previous())
    patch.install()
    Base.take = lambda self: "patched"  # type: ignore[method-assign]
    assert of_class.take() == "class, patched"
    assert of_object.take() == "object, class, patched"
    patch.uninstall()
    assert "take" not in vars(of_object)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("function", [_of_nothing, len, _Called(), _wrapt(_of_nothing)])
def test_functions_of_modules(kind: type[Theirs], function: Any) -> None:
    """
    A function of a module is called as it is, in company, too.
    """
    module = ModuleType("module")
    module.take = function  # type: ignore[attr-defined]
    expected = module.take("abc")
    wrapper = _Noting()
    theirs = kind(module, "take")
    patch = Patch(module, "take", wrapper)
    theirs.install()
    patch.install()
    assert module.take("abc") == expected
    assert wrapper.seen == [("abc",)]
    patch.uninstall()
    theirs.uninstall()
    assert module.take is function


def test_what_is_no_function() -> None:
    """
    A property is none, nor is a number; a name that is not there is an AttributeError.
    """

    class Owner:
        number = 3

        @property
        def shown(self) -> Callable[[], None]:
            return lambda: None

    for name in ("number", "shown"):
        with pytest.raises(TypeError, match=f"{name} of .*Owner.* is not a function"):
            Patch(Owner, name, _hand_on).install()
    with pytest.raises(AttributeError, match="missing"):
        Patch(Owner, "missing", _hand_on).install()
    with pytest.raises(TypeError, match="name of .* is not a function"):
        Patch(SimpleNamespace(name=1), "name", _hand_on).install()
    assert not any(name.startswith("_ctxlog") for name in vars(Owner))


# The replacement ----------------------------------------------------------------


class _Example:
    async def work(self, number: int) -> int:
        """
        Return the number.
        """
        return number

    def plain(self, number: int = 3, *, other: str = "") -> str:
        """
        Return both.
        """
        return f"{number}{other}"

    @classmethod
    def of_class(cls, number: int) -> int:
        return number

    @staticmethod
    async def of_nothing(number: int) -> int:
        return number

    fixed = functools.partialmethod(plain, other="x")


@pytest.mark.parametrize("name", ["work", "plain", "of_class", "of_nothing", "fixed"])
def test_a_patch_looks_as_what_it_replaces_and_leaves_nothing(name: str) -> None:
    """
    Name, signature and kind are the same, and nothing is left, in every order.
    """
    judge(Patch(_Example, name, _hand_on))


def test_a_coroutine_function_is_one() -> None:
    """
    It can be awaited, and asyncio knows what it is, also over wrapt's.
    """

    class Owner:
        work = wrapt.FunctionWrapper(_Example.work, forward)

    patch = Patch(Owner, "work", _hand_on)
    patch.install()
    assert inspect.iscoroutinefunction(Owner.work)
    assert asyncio.run(Owner().work(3)) == 3


# Others that come and go ---------------------------------------------------------


def test_a_second_install_changes_nothing() -> None:
    """
    Installing it again is a no-op, and one `uninstall` takes it off.
    """
    wrapper = _Noting()
    module = SimpleNamespace(take=_of_nothing)
    patch = Patch(module, "take", wrapper)
    patch.uninstall()
    patch.install()
    ours = module.take
    patch.install()
    assert module.take is ours
    module.take()
    assert len(wrapper.seen) == 1
    patch.uninstall()
    patch.uninstall()
    assert module.take is _of_nothing


def test_installed_again_over_another_it_works_once() -> None:
    """
    A patch below another library's hands through, and works again when that is
    taken away.
    """
    wrapper = _Noting()
    module = SimpleNamespace(take=_of_nothing)
    patch = Patch(module, "take", wrapper)
    patch.install()
    theirs = Closure(module, "take")
    theirs.install()
    patch.install()
    module.take(1)
    assert wrapper.seen == [(1,)]
    theirs.uninstall()
    module.take(2)
    assert wrapper.seen == [(1,), (2,)]
    patch.uninstall()
    assert module.take is _of_nothing


def test_what_another_has_put_back_is_gone_with_the_next_call() -> None:
    """
    Another library may have kept ours as the original: once that is called without a
    patch over it, it takes itself off.
    """
    wrapper = _Noting()
    module = SimpleNamespace(take=_of_nothing)
    patch, theirs = Patch(module, "take", wrapper), Closure(module, "take")
    patch.install()
    theirs = Closure(module, "take")
    theirs.install()
    patch.uninstall()
    assert module.take is theirs.wrapper
    module.take()
    theirs.uninstall()
    module.take()
    assert wrapper.seen == []
    assert module.take is _of_nothing


def test_a_function_that_was_rewritten_stays() -> None:
    """
    ddtrace rewrites the code of the function that it finds: ours, which hands through
    until the code is given back.
    """
    wrapper = _Noting()
    module = SimpleNamespace(take=_of_nothing)
    patch = Patch(module, "take", wrapper)
    patch.install()
    ours = module.take
    code = ours.__code__
    ours.__code__ = code.replace(co_name="rewritten")
    patch.uninstall()
    assert module.take is ours
    assert module.take(1) == ((1,), {})
    ours.__code__ = code
    module.take()
    assert module.take is _of_nothing
    assert wrapper.seen == []


def test_a_circle_of_wrappers_ends() -> None:
    """
    Functions that say of each other that they wrap them do not hang `uninstall`.
    """
    module = SimpleNamespace(take=_of_nothing)
    patch = Patch(module, "take", _hand_on)
    patch.install()
    theirs = Closure(module, "take")
    theirs.install()
    theirs.wrapper.__wrapped__ = theirs.wrapper
    patch.uninstall()
    assert module.take(1) == ((1,), {})


# Every patch that there is --------------------------------------------------------

#: Modules whose patches are looked at here; those of queues are in tests/tasks.
HERE = [
    "loggers._request_records",
    "loggers._structlog_setup",
    "runtime._event_loop",
    "runtime.gevent",
    "runtime.hooks",
    "runtime.threads",
    "runtime.trio",
    "runtime.uvloop",
    "servers.bottle",
    "servers.falcon",
    "servers.hypercorn",
    "servers.litestar",
    "servers.starlette",
    "servers.uvicorn",
    "servers.werkzeug",
    "tasks.processes",
]
THERE = [
    "loggers._request_records",
    "loggers._structlog_setup",
    "tasks.apscheduler",
    "tasks.arq",
    "tasks.celery",
    "tasks.faststream",
    "tasks.huey",
    "tasks.rq",
]


@pytest.mark.parametrize("name", HERE)
def test_each_patch_in_company(name: str) -> None:
    """
    Over and under the patches of others each one looks as what it replaces, and nothing
    is left behind, in every order.
    """
    library = name.rpartition(".")[2]
    own = ("hooks", "_event_loop", "threads", "processes", "_request_records")
    if library not in own:
        need({"_structlog_setup": "structlog"}.get(library, library))
    module = importlib.import_module(f"ctxlog.{name}")
    found = [*getattr(module, "_PATCHES", ()), getattr(module, "_patch", None)]
    patches = [patch for patch in found if patch is not None]
    assert patches
    for patch in patches:
        patch.uninstall()  # a middleware of another test may have installed it
    for patch in patches:
        judge(patch)


def test_no_patch_is_forgotten() -> None:
    """
    Every module that patches is in one of the two lists above, but for those of
    `config` and `carrier`, which replace functions where they find them, Sanic's, which
    patches single objects, and those of `doctor` and `testing`, which last for a block.
    """
    package = Path(ctxlog.__file__).parent
    patching = {
        ".".join(path.relative_to(package).with_suffix("").parts)
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Patch"
    }
    blocks = {"doctor.application", "testing._capture"}
    elsewhere = {"config._later", "carrier.spans", "servers.sanic", *blocks}
    assert patching == {*HERE, *THERE, *elsewhere}
