"""API tokens: who may ask, off by default. The same for every door."""

import hmac
from collections.abc import Iterable
from hashlib import sha256


class Tokens:
    """The tokens that are valid. Without any, everybody may ask."""

    def __init__(self, tokens: Iterable[str] = ()) -> None:
        self._digests = [_digest(token) for token in tokens]

    def admit(self, authorization: str) -> bool:
        """Whether an `Authorization` (RFC 6750: `Bearer TOKEN`) has one of them."""
        if not self._digests:
            return True
        scheme, _, token = authorization.partition(" ")
        given = _digest(token.strip())
        # All are compared, each in constant time: how long it takes says nothing about any token.
        matches = [hmac.compare_digest(given, digest) for digest in self._digests]
        return scheme.lower() == "bearer" and any(matches)


def _digest(token: str) -> bytes:
    return sha256(token.encode("latin-1", "replace")).digest()
