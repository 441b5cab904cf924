"""A WebSocket server that does nothing but send: prepared frames in one block, as fast as the client takes them.

    python benchmarks/loopback.py BLOCK [CERTIFICATE KEY]

Its first line of output is its port. A connection gets the block when it has sent its first frame, then a close frame.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
import struct
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CLOSE = b"\x88\x02" + struct.pack(">H", 1000)


def block_of(payloads: Iterable[bytes]) -> bytes:
    """Payloads as unmasked text frames, one after the other."""
    parts = []
    for payload in payloads:
        size = len(payload)
        if size < 126:
            parts.append(struct.pack(">BB", 0x81, size))
        elif size < 65536:
            parts.append(struct.pack(">BBH", 0x81, 126, size))
        else:
            parts.append(struct.pack(">BBQ", 0x81, 127, size))
        parts.append(payload)
    return b"".join(parts)


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for this machine that lasts a day. Raises CalledProcessError or FileNotFoundError."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", str(certificate), "-keyout", str(key)],
        check=True, capture_output=True,
    )
    return certificate, key


def serve_one(connection: socket.socket, block: bytes) -> None:
    request = b""
    while b"\r\n\r\n" not in request:
        request += connection.recv(4096) or b"\r\n\r\n"
    lines = dict(line.split(b": ", 1) for line in request.split(b"\r\n") if b": " in line)
    key = next((value for name, value in lines.items() if name.lower() == b"sec-websocket-key"), b"")
    accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest())
    connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    if connection.recv(4096):
        connection.sendall(block)
        connection.sendall(CLOSE)
        connection.recv(4096)       # the client's own close frame; the server is the one to hang up


def main() -> None:
    block = Path(sys.argv[1]).read_bytes()
    context = None
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                if context is not None:
                    connection = context.wrap_socket(connection, server_side=True)
                serve_one(connection, block)
            except OSError as error:
                print(f"loopback: {error}", file=sys.stderr)
            finally:
                connection.close()


if __name__ == "__main__":
    main()
