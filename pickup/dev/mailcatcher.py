"""A mail server that keeps what it gets: `python -m pickup.dev.mailcatcher PORT FOLDER`.

Every message becomes one .eml file, named after its Message-ID: mail is sent at least once, and who looks
into /dev/mail sees, as in a mail program, that a message sent twice is one message.
"""

import asyncio
import hashlib
import os
import signal
import sys
from email.parser import BytesHeaderParser
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

LINE_MAX_BYTES = 64 * 1024


class Keeper:
    """aiosmtpd's handler: it answers 250 only when the message is on the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Keep one message."""
        keep(self._folder, envelope.original_content or b"")
        return "250 Kept"


def keep(folder: Path, content: bytes) -> Path:
    """Write one message, whole or not at all, and return its file. The first of several copies stays."""
    message_id = BytesHeaderParser().parsebytes(content).get("Message-ID")
    digest = hashlib.sha256(message_id.strip().encode() if message_id else content).hexdigest()
    path = folder / f"{digest[:32]}.eml"
    if not path.exists():
        draft = path.with_suffix(".part")
        draft.write_bytes(content)
        draft.rename(path)
    return path


async def serve(port: int, folder: Path) -> None:
    """Listen on loopback until SIGTERM or SIGINT."""
    folder.mkdir(parents=True, exist_ok=True)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await loop.create_server(
        lambda: SMTP(Keeper(folder), enable_SMTPUTF8=True, ident="pickup mail catcher"), "127.0.0.1", port
    )
    async with server:
        await stop.wait()


if __name__ == "__main__":
    os.umask(0o077)
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
