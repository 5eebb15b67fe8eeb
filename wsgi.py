"""The WSGI entry point: `gunicorn wsgi:app`, `flask --app wsgi …`."""

from pickup.app import create_app
from pickup.config import Settings

settings = Settings.from_environment()
app = create_app(settings)

if settings.development:
    # Embedded servers, the mail catcher, the demo: production never imports them.
    from pickup.dev import extension

    extension.init_app(app, settings)
