"""
The command itself: its argument, its output, its exit status, and its page.
"""

from __future__ import annotations

import json
import re

import pytest

from tests.doctor.conftest import Project, todo
from tests.helpers import ROOT, need

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


def test_a_formatter_that_raises_is_named(project: Project) -> None:
    """A formatter that asks for a field that no filter sets is named with its error."""
    project.write(
        "import logging\nlogging.basicConfig(format='%(requestID)s %(message)s')\n"
    )
    findings = project.report("shop")["findings"]
    (why,) = [one["why"] for one in findings if "root logger" in one["what"]]
    assert why.startswith("its formatter raises ")


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
        ("shop.py", "", "shop.py: cannot import shop.py: ModuleNotFoundError: "),
        ("shop:", "", "must be MODULE:APP"),
        (
            "shop:app",
            "import socket\nsocket.create_server(('127.0.0.1', 8999))\n",
            "starts a server when it is imported",
        ),
    ],
)
def test_what_cannot_be_imported_is_said_in_a_sentence(
    target: str, source: str, sentence: str, project: Project
) -> None:
    """The exit status is 2, and one line on stderr says why."""
    project.write(source)
    status, output, complaints = project.doctor(target)
    assert (status, output) == (2, "")
    assert complaints.startswith("ctxlog doctor: ")
    assert sentence.removeprefix("shop.py: ") in complaints
    assert complaints.count("\n") == 1
