"""Settings that name files: tokens and TLS."""

from pathlib import Path

import pytest
import trustme
from pydantic import ValidationError

from service.settings import Settings


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    issued = trustme.CA().issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    return folder / "certificate.pem", folder / "key.pem"


def test_tokens(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("# comment\n\n" + "a" * 16 + "\r\n  " + "b" * 40 + " \n" + "a" * 16)
    assert Settings(api_tokens_file=file).api_tokens() == {"a" * 16, "b" * 40}


def test_no_file_no_tokens() -> None:
    assert Settings().api_tokens() == frozenset()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no token"),
        ("# only\n\n", "no token"),
        ("a" * 15, "line 1: at least 16"),
        ("a" * 16 + "\nwith a space between\n", "line 2: at least 16"),
    ],
)
def test_bad_tokens(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "tokens"
    file.write_text(text)
    with pytest.raises(ValidationError, match=why):
        Settings(api_tokens_file=file)


def test_a_token_is_never_in_the_error(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("half secret")
    with pytest.raises(ValidationError) as caught:
        Settings(api_tokens_file=file)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["api_tokens_file", "tls_certificate", "tls_key"])
@pytest.mark.parametrize(("file", "why"), [("nowhere", "No such file"), (".", "directory")])
def test_unreadable_files(tmp_path: Path, name: str, file: str, why: str) -> None:
    with pytest.raises(ValidationError, match=f"{name}: .*: .*{why}"):
        Settings(**{name: tmp_path / file})  # type: ignore[arg-type]


def test_tls(pair: tuple[Path, Path]) -> None:
    certificate, key = pair
    assert Settings(tls_certificate=certificate, tls_key=key).tls_key == key
    with pytest.raises(ValidationError, match="both or none"):
        Settings(tls_certificate=certificate)
    with pytest.raises(ValidationError, match="both or none"):
        Settings(tls_key=key)
    with pytest.raises(ValidationError, match="tls_certificate, tls_key: "):
        Settings(tls_certificate=key, tls_key=certificate)
