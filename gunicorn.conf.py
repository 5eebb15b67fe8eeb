"""What gunicorn finds by itself where it is started: `gunicorn wsgi:app` needs no more than a number of `--workers`."""

from typing import Any

from pickup.config import Settings

_settings = Settings.from_environment()

worker_class = "gthread"
# A stream occupies a thread as long as it is open; requests are not to wait for it.
threads = _settings.web_threads + _settings.web_streams
graceful_timeout = 15


def post_worker_init(worker: Any) -> None:
    """Let streams know when their process is asked to end: it waits for them."""
    worker.wsgi.extensions["streams"].stop_when(lambda: not worker.alive)
