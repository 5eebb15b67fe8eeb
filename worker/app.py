"""The application of a worker process, made once, before the first job."""

from pickup.app import create_app

app = create_app()
