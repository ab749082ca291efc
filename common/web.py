"""One web process: uvicorn, on a socket that the supervisor opened and keeps, so that a restart refuses nobody.

python -m common.web 5      where 5 is the inherited file descriptor
"""

import ctypes
import socket
import sys
from contextlib import suppress

import django
import uvicorn
from django.conf import settings

from common import metrics

GRACE = 2  # seconds that an unfinished answer gets at the end
UNREAD = 60  # seconds that a connection lives whose other end takes nothing
M_ARENA_MAX, ARENAS = -8, 2  # of glibc's malloc, which else keeps a heap for each thread, as large as its largest body


class Server(uvicorn.Server):
    """Closes, before it waits for answers to end, those that never would: the application says how, by `close` in the
    state of its lifespan."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if close := self.lifespan.state.get("close"):
            close()
        await super().shutdown(sockets)


def serve(listener: socket.socket) -> None:
    """Answer what arrives there, until SIGTERM."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)
    django.setup()  # now, so that whatever goes wrong from here on is logged as everything else is
    metrics.share(settings.ENV.data_dir / "metrics")
    config = uvicorn.Config(
        "config.asgi:application",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,  # every request has its line from Django
        log_config=None,
        log_level="warning",
        server_header=False,
        # Who may speak for somebody else is decided by the settings, not by who is nearest.
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
    )
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # Who neither reads nor hangs up is cut off, whatever still waits for them in the system's buffers.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD * 1000)
    Server(config).run(sockets=[listener])


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
