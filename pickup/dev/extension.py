"""What the application gains on a development machine."""

from flask import Flask

from pickup.config import Settings
from pickup.dev import commands, embedded, message_views, views


def init_app(app: Flask, settings: Settings) -> None:
    """Hold the embedded servers while a command runs; add `flask dev`, `/dev/mail` and `/dev/messages`."""
    embedded.attach(settings)
    app.cli.add_command(commands.dev_group)
    app.register_blueprint(views.blueprint)
    app.register_blueprint(message_views.blueprint)
