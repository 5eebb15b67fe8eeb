"""HTTP of the start page."""

from flask import current_app, render_template

from pickup.config import Settings
from pickup.core.pages import Pages

blueprint = Pages("home", __name__, static_folder=None)


@blueprint.get("/")
def start() -> str:
    """Where everything is."""
    settings: Settings = current_app.extensions["settings"]
    return render_template(
        "home/index.html",
        has_mail_catcher=settings.mail_catcher_folder is not None,
        has_message_pages="dev_messages" in current_app.blueprints,
    )
