"""Refuses and writes down every attempt to leave this machine, in any Python process with this folder on PYTHONPATH.

An audit hook sees the calls of C extensions into Python's sockets too, cannot be taken off again, and child processes
inherit it with the environment. It does not see sockets that a library opens by itself (DuckDB, libuv): the network
namespace of the test does.
"""

import ipaddress
import os
import socket
import sys
from pathlib import Path
from typing import Any

LOG = Path(os.environ["NO_EGRESS_LOG"])
OWN_NAMES = {"", "localhost", socket.gethostname()}


def is_local_address(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host in OWN_NAMES
    return address.is_loopback or address.is_unspecified


def is_local_name(host: str) -> bool:
    """Whether resolving the name asks nobody: an address is its own answer."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host in OWN_NAMES
    return True


def refuse(event: str, target: object) -> None:
    with LOG.open("a") as log:
        log.write(f"{event} {target!r} by {' '.join(sys.orig_argv)}\n")
    raise PermissionError(f"{event} {target!r}: outbound traffic is blocked")


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        address = arguments[1]
        if isinstance(address, tuple) and isinstance(address[0], str) and not is_local_address(address[0]):
            refuse(event, address)
    elif event in {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}:
        host = os.fsdecode(arguments[0] or "")
        if not is_local_name(host):
            refuse(event, host)


sys.addaudithook(watch)
