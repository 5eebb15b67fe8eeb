"""What the application gains on a development machine."""

from flask import Flask

from pickup.config import Settings
from pickup.dev import commands, embedded, views


def init_app(app: Flask, settings: Settings) -> None:
    """Hold the embedded servers while a command runs; add `flask dev` and `/dev/mail`."""
    embedded.attach(settings)
    app.cli.add_command(commands.dev_group)
    if settings.mail_catcher_folder is not None:
        app.register_blueprint(views.blueprint)
