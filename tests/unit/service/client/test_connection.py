import pytest

from service.client.connection import Connection


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
