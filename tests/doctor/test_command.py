"""
The command itself: its argument, its output, its exit status, and its page.
"""

from __future__ import annotations

import copy
import importlib
import json
import logging
import re
import sys

import pytest

import ctxlog
from ctxlog.doctor import lines
from ctxlog.doctor.application import CannotImportError, load
from tests.doctor.conftest import Project, todo
from tests.helpers import ROOT, need, run_python

_WELL = "import ctxlog\nctxlog.configure(format='json')\n"


def test_the_page_shows_what_is_printed(project: Project) -> None:
    """The application of the page has the report of the page, notes aside."""
    need("fastapi")
    page = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    source, command, shown = re.findall(
        r"^```\w+\n(.*?)^```$", page, re.DOTALL | re.MULTILINE
    )
    project.write(source)
    assert command == "ctxlog doctor shop:app\n"
    status, output, _ = project.doctor("shop:app")
    notes = re.compile(r"^note .*?(?=^\w|^$)", re.DOTALL | re.MULTILINE)
    assert status == 1
    assert notes.sub("", output) == notes.sub("", shown)


def test_an_application_that_is_well_has_nothing_to_do(project: Project) -> None:
    """The exit status is 0, and the last line says it."""
    project.write(_WELL)
    status, output, _ = project.doctor("shop")
    assert status == 0
    assert output.endswith("\nNothing has to be written.\n")


def test_output_is_the_report_alone(project: Project) -> None:
    """What the import prints, by print, descriptor and exit hook, is on stderr."""
    project.write(
        _WELL
        + "import atexit, os\n"
        + "print('printed')\n"
        + "os.write(1, b'written\\n')\n"
        + "atexit.register(print, 'at exit')\n"
    )
    status, output, complaints = project.doctor("--json", "shop")
    assert json.loads(output)["exit"] == status == 0
    assert {"printed", "written", "at exit"} <= set(complaints.splitlines())


def test_nothing_is_written_by_the_probe(project: Project) -> None:
    """Handlers are asked, and write nothing: a file stays empty."""
    project.write(
        "import logging\nlogging.getLogger().addHandler(logging.FileHandler('a.log'))\n"
    )
    assert todo(project.report("shop"))
    assert (project.folder / "a.log").read_text(encoding="utf-8") == ""


def test_levels_that_do_not_overlap_are_no_doubles(project: Project) -> None:
    """Two handlers of one console that share the levels write each line once."""
    project.write(
        "import logging, sys\n"
        "import ctxlog\n"
        "ctxlog.install_record_factory()\n"
        "low = ctxlog.LineHandler(sys.stdout)\n"
        "low.addFilter(lambda record: record.levelno < logging.ERROR)\n"
        "high = ctxlog.LineHandler(sys.stderr, logging.ERROR)\n"
        "logging.getLogger().handlers[:] = [low, high]\n"
    )
    assert todo(project.report("shop")) == []


def test_a_filter_and_a_formatter_that_show_the_id_are_enough(project: Project) -> None:
    """Text that shows the id, by ctxlog's filter, is stamped."""
    project.write(
        "import logging\n"
        "import ctxlog\n"
        "handler = logging.StreamHandler()\n"
        "handler.addFilter(ctxlog.ContextFilter())\n"
        "handler.setFormatter(logging.Formatter('%(requestID)s %(message)s'))\n"
        "logging.getLogger().addHandler(handler)\n"
    )
    assert todo(project.report("shop")) == []


@pytest.mark.skipif(sys.version_info < (3, 12), reason="filters return True or False")
def test_a_record_that_a_filter_returns_goes_on() -> None:
    """A filter may return another record, which the formatter gets."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(seen)s %(message)s"))

    def replacing(record: logging.LogRecord) -> logging.LogRecord:
        copied = copy.copy(record)
        copied.seen = ctxlog.fields()["requestID"]
        return copied

    handler.addFilter(replacing)
    logger = logging.getLogger("doctor.replacing")
    logger.propagate = False
    logger.addHandler(handler)
    try:
        assert lines.shows_id(logger)
    finally:
        logger.removeHandler(handler)


def test_a_formatter_that_raises_is_named(project: Project) -> None:
    """A formatter that asks for a field that no filter sets is named with its error."""
    project.write(
        "import logging\nlogging.basicConfig(format='%(requestID)s %(message)s')\n"
    )
    findings = project.report("shop")["findings"]
    (why,) = [one["why"] for one in findings if "root logger" in one["what"]]
    assert why.startswith("its formatter raises ")


def test_a_logger_that_a_library_has_muted_is_a_note(project: Project) -> None:
    """A library that hands no lines on may have a reason: there is nothing to do."""
    project.write(
        _WELL + "import json, logging\nlogging.getLogger('json').propagate = False\n"
    )
    report = project.report("shop")
    kinds = {one["what"]: one["kind"] for one in report["findings"]}
    assert kinds["logger 'json' has no handler, and does not propagate"] == "note"
    assert report["exit"] == 0


def test_a_thread_of_the_application_keeps_nobody_waiting(project: Project) -> None:
    """A thread that the import has started, and that goes on, ends with the doctor."""
    project.write(
        _WELL
        + "import threading\n"
        + "threading.Thread(target=threading.Event().wait).start()\n"
    )
    status, output, _ = project.doctor("shop")
    assert status == 0
    assert output.endswith("\nNothing has to be written.\n")


def test_an_installed_package_is_the_applications_own(project: Project) -> None:
    """Modules beside the named one are examined where the package is installed."""
    need("celery")
    project.write("import shop.tasks\n", "shop/__init__.py")
    project.write("import celery\n", "shop/tasks.py")
    site = project.folder / "site-packages"
    site.mkdir()
    (project.folder / "shop").rename(site / "shop")
    source = "import runpy, sys; sys.path.insert(0, 'site-packages'); "
    done = run_python(
        "-c",
        source + "sys.argv = ['ctxlog', 'doctor', 'shop']; "
        "runpy.run_module('ctxlog', run_name='__main__')",
        cwd=project.folder,
        check=False,
    )
    assert "tasks of celery have no store" in done.stdout


def test_an_empty_directory_is_well(project: Project) -> None:
    """Without an argument and without Django only what is installed is said."""
    status, output, _ = project.doctor()
    assert status == 0
    assert "no application was named" in output


# What cannot be examined --------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "source", "sentence"),
    [
        ("shop:app", "import nothere\n", "cannot import shop: ModuleNotFoundError: "),
        (
            "shop:app",
            "1 / 0\n",
            "ZeroDivisionError: division by zero (shop.py, line 1)",
        ),
        ("shop:app", "import sys\nsys.exit(3)\n", "cannot import shop: SystemExit: 3"),
        ("shop:app", "", "shop has no 'app'"),
        ("shop:app", "def app(): ...\n", "write 'shop:app()'"),
        ("shop:app()", "def app():\n    1 / 0\n", "(shop.py, line 2)"),
        ("shop.py", "", "cannot import shop.py: ModuleNotFoundError: "),
        ("shop:", "", "must be MODULE:APP"),
    ],
)
def test_what_cannot_be_imported_is_said_in_a_sentence(
    target: str,
    source: str,
    sentence: str,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error says what is wrong, and where in the application."""
    project.write(source)
    monkeypatch.chdir(project.folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("FLASK_RUN_FROM_CLI", "true")
    try:
        with pytest.raises(CannotImportError) as raised:
            load(target)
    finally:
        sys.modules.pop("shop", None)
        importlib.invalidate_caches()
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_import_that_serves_ends_with_2(project: Project) -> None:
    """No port is opened; one line on stderr says what to do, and stdout is empty."""
    project.write(
        "import socket\n"
        "try:\n"
        "    socket.create_server(('127.0.0.1', 8999))\n"
        "except Exception:\n"
        "    print('caught')\n"
    )
    status, output, complaints = project.doctor("shop:app")
    assert (status, output) == (2, "")
    assert complaints == (
        "ctxlog doctor: shop starts a server when it is imported (it listens on port "
        "8999): put that under `if __name__ == '__main__':`\n"
    )
