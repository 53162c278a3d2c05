"""Put on PYTHONPATH, this refuses every connection that leaves the machine, and writes down who asked.

Python imports a module of this name before anything else, so it holds in kernels and their children too.
The log is the file that UNROLLED_SOCKET_LOG names.
"""

import os
import sys

LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")
ADDRESS = {"socket.connect": 1, "socket.sendto": 1, "socket.getaddrinfo": 0, "socket.gethostbyname": 0}


def refuse(event, arguments):
    """An audit hook: no code of Python's can go round it."""
    if event not in ADDRESS:
        return
    address = arguments[ADDRESS[event]]
    host = address[0] if isinstance(address, tuple) else address
    host = host.decode() if isinstance(host, bytes) else host
    unix = event in ("socket.connect", "socket.sendto") and not isinstance(address, tuple)
    if host and not unix and not host.startswith(LOOPBACK):
        with open(os.environ["UNROLLED_SOCKET_LOG"], "a", encoding="utf-8") as log:
            log.write(f"{event} {address}\n")
        raise OSError(f"tests run without network: {event} {address} was refused")


if "UNROLLED_SOCKET_LOG" in os.environ:
    sys.addaudithook(refuse)
