"""Answers as small as the asker can read them: a store's tablet may hang on a poor line.

What streams event by event, or row by row, is sent as it comes. That a secret could be guessed from the size of an
answer (BREACH) needs a browser that sends our cookies along with what another site asks for; ours go nowhere but with
links that somebody follows (`SameSite=Lax`).
"""

from flask import Flask
from flask_compress import Compress

MIMETYPES = ["text/html", "text/css", "text/javascript", "application/javascript", "application/json", "image/svg+xml"]
# What fits into one packet is not made quicker.
MIN_BYTES = 1400


def init_app(app: Flask) -> None:
    """Compress what is worth it, by what the asker says it reads."""
    app.config.update(
        COMPRESS_MIMETYPES=MIMETYPES,
        COMPRESS_MIN_SIZE=MIN_BYTES,
        COMPRESS_BR_LEVEL=4,
        COMPRESS_LEVEL=5,
    )
    Compress(app)
