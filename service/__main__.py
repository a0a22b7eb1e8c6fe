"""`python -m service`: settings -> bootstrap -> both servers -> drain on SIGTERM."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from pydantic import ValidationError

from service.bootstrap import Gateway, bootstrap
from service.errors import BackendUnavailable
from service.rpc.server import PortTaken, RpcServer
from service.settings import Settings, unknown_settings
from service.telemetry import configure_logging

log = logging.getLogger("thermal.main")


class _Server(uvicorn.Server):
    """Leaves the signals to us: readiness has to go first, the port afterwards."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main() -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status."""
    try:
        settings = Settings()
    except ValidationError as error:
        print(f"settings: {error}", file=sys.stderr)  # noqa: T201
        return 2
    configure_logging(settings.log_level)
    for name in unknown_settings(os.environ):
        log.warning("unknown setting", extra={"facts": {"setting": name}})
    try:
        gateway = bootstrap(settings)
    except BackendUnavailable as error:
        log.error("the backend cannot start: %s", error)
        return 3
    return asyncio.run(_serve(settings, gateway))


async def _serve(settings: Settings, gateway: Gateway) -> int:
    server = _Server(
        uvicorn.Config(
            gateway.rest_app(),
            host=settings.host,
            port=settings.rest_port,
            ssl_certfile=settings.tls_certificate,
            ssl_keyfile=settings.tls_key,
            lifespan="off",  # the gateway's own context below covers every door
            log_config=None,
            access_log=False,  # the edge writes one line a request
            server_header=False,
            limit_concurrency=settings.max_connections,
            timeout_keep_alive=settings.keep_alive_s,
            timeout_graceful_shutdown=settings.drain_timeout_s,
        )
    )
    rpc = gateway.rpc_server()
    async with gateway:
        try:
            await rpc.start()
        except PortTaken as error:
            log.error("%s", error)
            return 3
        draining = _drain_on_signal(server, rpc, gateway, settings)
        try:
            await server.serve()
            await asyncio.wait([draining])
        finally:
            await rpc.stop(0)  # after the drain there is nothing left to stop
    log.info("stopped")
    return 0


def _drain_on_signal(
    server: _Server, rpc: RpcServer, gateway: Gateway, settings: Settings
) -> asyncio.Task[None]:
    """First signal: not ready, wait, stop accepting, finish what runs. Second: stop at once."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()

    async def drain() -> None:
        await asked.wait()
        log.info("draining")
        gateway.readiness.draining = True
        rpc.leave()
        await asyncio.sleep(settings.drain_delay_s)
        server.should_exit = True
        await rpc.stop(settings.drain_timeout_s)

    draining = loop.create_task(drain())

    def stop() -> None:
        if asked.is_set():
            server.should_exit = server.force_exit = True
            draining.cancel()
        asked.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, gateway.watcher.look_now)
    return draining


if __name__ == "__main__":
    sys.exit(main())
