"""`python -m service` with TLS and tokens, spoken to over a real socket."""

import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import trustme

from tests.e2e.test_server import PATIENCE, Server, until
from tests.gateways import good_image
from tests.repositories import make_repository

HEALTHCHECK = Path(__file__).parents[2] / "docker" / "healthcheck.py"
TOKEN = "0123456789abcdef"


def test_serves_over_tls_to_who_has_a_token(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    (tmp_path / "tokens").write_text(TOKEN)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    files = {
        "tls_certificate": str(tmp_path / "certificate.pem"),
        "tls_key": str(tmp_path / "key.pem"),
        "api_tokens_file": str(tmp_path / "tokens"),
    }
    repository = make_repository(tmp_path / "models")
    with Server(model_repository=str(repository), **files) as server:
        url = f"https://127.0.0.1:{server.address[1]}"
        with httpx.Client(base_url=url, verify=context, timeout=PATIENCE) as client:

            def ready() -> bool:
                try:
                    return client.get("/readyz").status_code == 200
                except httpx.TransportError:
                    return False

            until(ready)
            refused = client.post("/landmarks", content=good_image())
            assert refused.status_code == 401
            client.headers["Authorization"] = f"Bearer {TOKEN}"
            answered = client.post("/landmarks", content=good_image())
            assert len(answered.json()["images"][0]["faces"]) == 1
        assert _healthy(server.address[1], tls=True) == 0
        assert _healthy(server.address[1], tls=False) != 0  # plain HTTP is not answered
    assert _healthy(server.address[1], tls=True) != 0


def _healthy(port: int, *, tls: bool) -> int:
    """The exit status of the container's own check."""
    environment = {"THERMAL_REST_PORT": str(port), "THERMAL_TLS_CERTIFICATE": "x" if tls else ""}
    command = [sys.executable, str(HEALTHCHECK)]
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode
