"""A port that is listened on: what every server of the simulator begins with."""

from __future__ import annotations

import errno
from ssl import SSLContext

from aiohttp import web


class PortError(OSError):
    """The address cannot be listened on; `str()` says which and why."""


async def listen(app: web.Application, host: str, port: int, ssl: SSLContext | None) -> tuple[web.AppRunner, str]:
    """Serve `app`. Returns: what has to be cleaned up in the end, and the URL, "ws://127.0.0.1:40001".

    Parameters: port -- 0 takes any free one. ssl -- serve wss:// and https:// with it.
    Raises: PortError.
    """
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=ssl).start()
    except OSError as error:
        await runner.cleanup()
        reason = "port in use" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
        raise PortError(error.errno, f"{host}:{port}: {reason}") from None
    host, port = runner.addresses[0][:2]
    return runner, f"{'wss' if ssl else 'ws'}://{f'[{host}]' if ':' in host else host}:{port}"
