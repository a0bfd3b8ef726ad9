"""The header of PROXY protocol version 2, by which a load balancer tells whose connection it hands on.

Bytes in, an address out; no sockets. The specification is HAProxy's `proxy-protocol.txt`, section 2.2.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED_BYTES = 16
HEADER_BYTES_MAX = 4096  # addresses take 216 at most; the rest are fields that we pass over
_LOCAL, _PROXY = 0x20, 0x21
_TCP_4, _TCP_6 = 0x11, 0x21
_UNSPECIFIED, _UNIX_STREAM = 0x00, 0x31


class ProxyHeaderError(Exception):
    """What came is no header of version 2, or of no stream."""


def read_header(data: bytes) -> tuple[int, str | None] | None:
    """(size of the header, the client's address), or None as long as it hasn't come whole.

    The address is None where the proxy speaks for itself (LOCAL, a check of health) or for no address of the internet.
    """
    if data[: len(SIGNATURE)] != SIGNATURE[: len(data)]:
        raise ProxyHeaderError("no signature of PROXY protocol version 2")
    if len(data) < _FIXED_BYTES:
        return None
    command, family = data[12], data[13]
    size = _FIXED_BYTES + int.from_bytes(data[14:16], "big")
    if command not in (_LOCAL, _PROXY):
        raise ProxyHeaderError(f"version and command 0x{command:02x}")
    if size > HEADER_BYTES_MAX:
        raise ProxyHeaderError(f"a header of {size} bytes")
    if len(data) < size:
        return None
    if command == _LOCAL:
        return size, None
    if family == _TCP_4:
        return size, str(IPv4Address(_address(data, size, 4, 12)))
    if family == _TCP_6:
        address = IPv6Address(_address(data, size, 16, 36))
        return size, str(address.ipv4_mapped or address)
    if family in (_UNSPECIFIED, _UNIX_STREAM):
        return size, None
    raise ProxyHeaderError(f"address family and protocol 0x{family:02x}")


def _address(data: bytes, size: int, address_bytes: int, block_bytes: int) -> bytes:
    if size < _FIXED_BYTES + block_bytes:
        raise ProxyHeaderError("addresses that are cut short")
    return data[_FIXED_BYTES : _FIXED_BYTES + address_bytes]
