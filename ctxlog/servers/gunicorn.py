"""
gunicorn's own lines. Imports gunicorn, the formatter and the configuration.

gunicorn imports it by name, as `logger_class`, a public setting; no other module does.
The master's lines, and those before the application calls `configure()`, would be text.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from datetime import timedelta
from typing import Any

from ctxlog._names import get_names
from ctxlog.config import dict_config
from ctxlog.errors import requires
from ctxlog.loggers.stdlib import JsonFormatter

with requires("gunicorn"):
    from gunicorn import glogging  # type: ignore[import-untyped]

__all__ = ["Logger"]

#: The settings of gunicorn that give access lines a place to go.
_ACCESS_SETTINGS = ("accesslog", "logconfig", "logconfig_dict", "logconfig_json")


class Logger(glogging.Logger):  # type: ignore[misc]
    """
    A `logger_class` for gunicorn: its error and access lines are JSON, with the id.

    `gunicorn --logger-class ctxlog.servers.gunicorn.Logger ...`. The options of
    gunicorn keep their meaning: `--log-level`, `--error-logfile`, `--access-logfile`,
    `--log-syslog`. The variables of the environment that
    `ctxlog.configure()` reads (`CTXLOG_SCHEMA`, `CTXLOG_SERVICE`, ...) hold here, too.

    It lasts as long as the master and its workers. An application that calls
    `ctxlog.configure()` takes its worker's lines into its own stream from then on;
    no line is written twice.

    An access line has fields like those of the completion line, and no query string.
    A custom `--access-logformat` is kept.

    Args:
        cfg: gunicorn's configuration, given by gunicorn.

    Raises:
        ConfigError: if a variable of the environment is invalid.
    """

    def setup(self, cfg: Any) -> None:
        """Set the handlers up that *cfg* asks for; gunicorn also calls it on reload."""
        super().setup(cfg)
        description = dict(dict_config(format="json")["formatters"]["ctxlog"])
        del description["()"]
        formatter = JsonFormatter(**description)
        for log in (self.error_log, self.access_log):
            for handler in log.handlers:
                # Not syslog's, whose lines have a format that others parse.
                if isinstance(handler, logging.StreamHandler):
                    handler.setFormatter(formatter)

    def _has_access_lines(self) -> bool:
        # Older releases have no name for it, and not all of these settings.
        settings = self.cfg.settings
        syslog = self.cfg.syslog and not self.cfg.disable_redirect_access_to_syslog
        return syslog or any(
            settings[name].get() for name in _ACCESS_SETTINGS if name in settings
        )

    def access(
        self,
        resp: Any,
        req: Any,
        environ: MutableMapping[str, Any],
        request_time: timedelta,
    ) -> None:
        """Write the access line of one request. Never raises."""
        setting = self.cfg.settings["access_log_format"]
        if not self._has_access_lines() or setting.get() != setting.default:
            super().access(resp, req, environ, request_time)
            return
        status = str(resp.status).partition(" ")[0]
        method, path = environ.get("REQUEST_METHOD"), environ.get("PATH_INFO")
        fields = {
            "method": method,
            "path": path,
            "status": int(status) if status.isdecimal() else status,
            get_names().duration: round(request_time.total_seconds() * 1000, 3),
            "client": environ.get("REMOTE_ADDR"),
        }
        known = {name: value for name, value in fields.items() if value}
        self.access_log.info("%s %s %s", method, path, status, extra=known)
