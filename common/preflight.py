"""What can be told before anything starts: may we write here, may we listen there.

Like config/launch.py, which asks the same, it needs only the standard library of any Python 3.
"""

import errno
import os
import socket
import tempfile


class Refusal(Exception):
    """Why it cannot go on, and what to do: one line for a person."""


def check_data_folder(folder: str) -> None:
    """Refuse a data folder that cannot be made or written."""
    folder = os.path.abspath(os.path.expanduser(folder))
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as exc:
        raise Refusal(
            "cannot write to the data folder {}: {}. Make it writable, or choose another: make run DATA_DIR=...".format(
                folder, exc.strerror
            )
        ) from None


def check_port(host: str, port: str) -> None:
    """Refuse an address that cannot be listened on."""
    listen(host, port).close()


def listen(host: str, port: str) -> socket.socket:
    """A socket that listens there."""
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise Refusal("PORT={} is not a port. Choose one from 1 to 65535: make run PORT=8000".format(port))
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(2048)
        except OSError:
            listener.close()
            raise
    except socket.gaierror:
        raise Refusal(
            "HOST={} is not an address. For this machine only: make run HOST=127.0.0.1".format(host)
        ) from None
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            why = "it is in use. Stop what runs there, or choose another: make run PORT={}".format(
                int(port) % 65535 + 1
            )
        elif exc.errno == errno.EACCES:
            why = "ports below 1024 need more rights. Choose another: make run PORT=8000"
        else:
            why = "{}. Choose an address of this machine: make run HOST=127.0.0.1".format(exc.strerror)
        raise Refusal("cannot listen on port {} of {}: {}".format(port, host, why)) from None
    return listener
