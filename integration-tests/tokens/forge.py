"""Tokens that nobody should accept."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt import PyJWK


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, unverified."""
    header, claims, _ = token.split(".")
    return json.loads(decode(header)), json.loads(decode(claims))


def _unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return ".".join(encode(json.dumps(part).encode()) for part in (header, claims))


def hs256(claims: dict[str, Any], secret: bytes, header: dict[str, Any] | None = None) -> str:
    """By hand, because libraries refuse public keys as secrets."""
    content = _unsigned({"typ": "JWT", "alg": "HS256"} | (header or {}), claims)
    return f"{content}.{encode(hmac.digest(secret, content.encode(), hashlib.sha256))}"


def unsigned(token: str, alg: str = "none", signature: str = "") -> str:
    header, claims = parts(token)
    return f"{_unsigned(header | {'alg': alg}, claims)}.{signature}"


def with_header(token: str, **changes: Any) -> str:
    """The header changed (None removes), the rest as it was: the signature does not fit any more."""
    header, _ = parts(token)
    header = {name: value for name, value in (header | changes).items() if value is not None}
    _, claims, signature = token.split(".")
    return f"{encode(json.dumps(header).encode())}.{claims}.{signature}"


def with_claims(token: str, **changes: Any) -> str:
    """The claims changed, the rest as it was."""
    _, claims = parts(token)
    header, _, signature = token.split(".")
    return f"{header}.{encode(json.dumps(claims | changes).encode())}.{signature}"


def by_public_key(token: str, jwk: dict[str, str]) -> Iterator[str]:
    """HS256 with the public key as the secret, in every form in which a server may keep that key."""
    header, claims = parts(token)
    public = PyJWK(jwk).key
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    secrets = [
        pem,
        pem.strip(),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(jwk).encode(),
    ]
    secrets += [decode(jwk[name]) for name in ("x", "n") if name in jwk]
    secrets += [jwk[name].encode() for name in ("x", "n") if name in jwk]
    for secret in secrets:
        yield hs256(claims, secret, header | {"alg": "HS256"})


def claims_now(issuer: str, subject: str, **changes: Any) -> dict[str, Any]:
    """What a good token says at least; a change to None removes."""
    now = int(time.time())
    claims = {"iss": issuer, "aud": issuer, "sub": subject, "id": subject, "iat": now, "exp": now + 600} | changes
    return {name: value for name, value in claims.items() if value is not None}
