"""Asks the kernel how many bytes a TCP connection of this machine has carried.

Source: sock_diag(7), linux/inet_diag.h and `struct tcp_info` of linux/tcp.h (field tcpi_bytes_acked).
"""

import socket
import struct
from collections.abc import Iterator

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST_DUMP = 0x301
_NLMSG_DONE = 3
_INET_DIAG_INFO = 2
_ESTABLISHED = 1 << 1
_MESSAGE_BYTES = 72
_BYTES_ACKED_AT = 120


def bytes_sent_to(port: int) -> int:
    """Return what clients have sent to a local port on connections that are open, TCP payload only."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as line:
        wanted = (socket.AF_INET, socket.IPPROTO_TCP, 1 << (_INET_DIAG_INFO - 1), 0, _ESTABLISHED)
        body = struct.pack("=BBBBI", *wanted) + bytes(48)
        head = (16 + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST_DUMP, 1, 0)
        line.send(struct.pack("=IHHII", *head) + body)
        return sum(sent for remote, sent in _connections(line) if remote == port)


def _connections(line: socket.socket) -> Iterator[tuple[int, int]]:
    while True:
        data = line.recv(1 << 20)
        while data:
            length, kind = struct.unpack_from("=IH", data)
            if kind == _NLMSG_DONE:
                return
            message = data[16:length]
            remote = struct.unpack_from(">H", message, 6)[0]
            yield remote, _acked(message[_MESSAGE_BYTES:])
            data = data[(length + 3) & ~3 :]


def _acked(attributes: bytes) -> int:
    while len(attributes) >= 4:
        length, kind = struct.unpack_from("=HH", attributes)
        if kind == _INET_DIAG_INFO:
            return int(struct.unpack_from("=Q", attributes, 4 + _BYTES_ACKED_AT)[0])
        attributes = attributes[(length + 3) & ~3 :]
    return 0
