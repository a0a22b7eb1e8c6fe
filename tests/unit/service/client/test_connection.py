import pytest

from service.client.connection import Connection
from service.client.errors import Unauthorised


@pytest.mark.parametrize(
    ("server", "address"),
    [
        ("camera-host", "camera-host:8081"),
        ("camera-host:9", "camera-host:9"),
        ("[::1]", "[::1]:8081"),
        ("[::1]:9", "[::1]:9"),
        ("dns:///camera-host:9", "dns:///camera-host:9"),
    ],
)
def test_the_port_may_be_left_out(server: str, address: str) -> None:
    assert Connection(server).address == address


def test_a_token_travels_and_is_not_shown() -> None:
    connection = Connection(token="secret")
    assert connection.metadata == (("authorization", "Bearer secret"),)
    assert "secret" not in repr(connection)
    assert Connection().metadata == ()


@pytest.mark.parametrize("token", ["t\u00f6ken", "two\nlines", "# a comment", "tab\t"])
def test_what_is_no_token_is_said_at_once(token: str) -> None:
    """gRPC would call it an internal error, as which it would be tried again and again."""
    with pytest.raises(Unauthorised, match="one line"):
        Connection(token=token)
