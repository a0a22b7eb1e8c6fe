"""Streams from the real process: with the published models, with TLS and a token, at its end."""

import asyncio
import json
import signal
from pathlib import Path

import grpc
import trustme

from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from service.rpc.pb.thermal.v1 import landmarks_pb2_grpc as pb_grpc
from tests import rpc_clients
from tests.e2e.test_server import Server, until
from tests.repositories import make_repository
from tests.rpc_clients import Stream, config

ROOT = Path(__file__).parents[2]
TOKEN = "0123456789abcdef"


def address(server: Server) -> str:
    """Where it listens for gRPC, by its log."""

    def found() -> list[int]:
        lines = [json.loads(line) for line in server.lines if line.startswith("{")]
        return [line["port"] for line in lines if line["message"] == "listening"]

    until(lambda: bool(found()))
    return f"localhost:{found()[0]}"


async def test_published_models_over_a_stream() -> None:
    sample = (ROOT / "docs" / "sample.png").read_bytes()
    repository = str(ROOT / "model_repository")
    with Server(model_repository=repository, drain_delay_s="0", variant="t") as server:
        await asyncio.to_thread(until, server.ready)
        async with rpc_clients.client(address(server)) as stub:
            # By name: `auto` may take another one as soon as more models are loaded.
            options = pb.PredictOptions(
                precision=pb.PRECISION_FP32, include=[pb.INCLUDE_TEMPERATURES]
            )
            alone = pb.Tracking(mode=pb.Tracking.MODE_OFF)
            opening = pb.StreamConfig(
                pixel_format=pb.PIXEL_FORMAT_PNG, options=options, tracking=alone
            )
            stream = await Stream(stub, opening).open()
            await stream.send(5, sample)
            answer = await stream.answer()
            request = pb.DetectRequest(images=[sample], options=options)
            detected = (await stub.Detect(request)).images[0].result
            assert answer.result.faces and answer.result.faces == detected.faces
            assert answer.result.faces[0].verdict == pb.VERDICT_RELIABLE
            server.process.send_signal(signal.SIGTERM)
            message = await stream.message()
            assert message is not None
            assert message.notice.reason == pb.Notice.REASON_DRAINING
            assert await stream.message() is None
        assert await asyncio.to_thread(server.wait) == 0


async def test_tls_and_token(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    (tmp_path / "tokens").write_text(TOKEN)
    with Server(
        model_repository=str(make_repository(tmp_path / "models")),
        tls_certificate=str(tmp_path / "certificate.pem"),
        tls_key=str(tmp_path / "key.pem"),
        api_tokens_file=str(tmp_path / "tokens"),
    ) as server:
        where = address(server)
        trusted = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
        metadata = (("authorization", f"Bearer {TOKEN}"),)
        async with grpc.aio.secure_channel(where, trusted) as channel:
            stub = pb_grpc.LandmarksServiceStub(channel)
            await asyncio.to_thread(
                until, lambda: any("model loaded" in line for line in server.lines[:])
            )
            refused = await Stream(stub, config()).open()
            assert (await refused.status())[1] == "unauthorised"
            stream = await Stream(stub, config(), metadata).open()
            await stream.send(1)
            assert (await stream.answer()).WhichOneof("outcome")
        async with rpc_clients.client(where) as plain:
            in_clear = Stream(plain, None)
            assert (await in_clear.status())[0] is grpc.StatusCode.UNAVAILABLE


async def test_a_second_signal_does_not_wait_for_streams(tmp_path: Path) -> None:
    repository = str(make_repository(tmp_path / "models"))
    with Server(model_repository=repository, drain_delay_s="600") as server:
        await asyncio.to_thread(until, server.ready)
        async with rpc_clients.client(address(server)) as stub:
            stream = await Stream(stub, config()).open()
            server.process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(until, lambda: not server.ready())
            refused = await Stream(stub, config()).open()
            assert await refused.status() == (grpc.StatusCode.UNAVAILABLE, "backend_unavailable")
            server.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(server.wait) == 0
            stream.call.cancel()
