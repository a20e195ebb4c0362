"""One service per algorithm on a SQLite file, and the tokens that are wrong in one thing each.

AUTH_SIDECAR_BIN names the program (else ../../target/release/auth-sidecar).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import forge
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from sidecar import Sidecar, User, wait_for
from verifiers import NodeJose

ELSEWHERE = "https://elsewhere.example"
SECRET = "a-secret-that-backends-know-0123456789"

_NEW_KEY = {
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "PS256": lambda: rsa.generate_private_key(65537, 2048),
}
ALGORITHMS = list(_NEW_KEY)


@dataclass
class Issued:
    """A service and what it issued."""

    sidecar: Sidecar
    user: User
    good: str
    keys: list[dict[str, str]]
    bad: dict[str, list[str]]


def kid(token: str) -> str:
    return forge.parts(token)[0]["kid"]


def published(sidecar: Sidecar, token: str) -> dict[str, str]:
    """The key that the token names."""
    (key,) = (key for key in sidecar.jwks() if key["kid"] == kid(token))
    return key


def issue(alg: str, database_url: str, running: ExitStack) -> Issued:
    common = {"AUTH_JWT_ALG": alg} | ({"AUTH_JWT_SECRET": SECRET} if alg == "HS256" else {})
    sidecar = running.enter_context(Sidecar(database_url, **common))
    user = sidecar.sign_up(software_background="ten years of C", hardware_background="Lötkolben 🔥")

    def by_another(**setting: str) -> str:
        # On the same database, so with the same keys: the token is wrong in this one thing.
        with Sidecar(database_url, **common, **setting) as other:
            return other.token(user)

    good = sidecar.token(user)
    expired = by_another(AUTH_JWT_EXPIRES_IN="1s")
    bad = {
        "wrong audience": [by_another(AUTH_JWT_AUDIENCE=ELSEWHERE)],
        "wrong issuer": [by_another(AUTH_JWT_ISSUER=ELSEWHERE)],
        "expired": [expired],
        "other claims": [forge.with_claims(good, email="root@example.com")],
        "none": [
            forge.unsigned(good),
            forge.unsigned(good, "none", good.split(".")[2]),
            *(forge.unsigned(good, alg) for alg in ("None", "NONE", "nOnE")),
        ],
    }
    if alg == "HS256":
        _, claims = forge.parts(good)
        bad["wrong key"] = [forge.hs256(claims, secret) for secret in (b"", b"x" * 32, SECRET.encode() + b"\n")]
    else:
        header, claims = forge.parts(good)
        sign = _NEW_KEY[alg]()
        bad["wrong key"] = [jwt.encode(claims, sign, alg, {"kid": header["kid"]})]
        bad["unknown kid"] = [jwt.encode(claims, sign, alg, {"kid": "unknown"})]
        bad["HS256 with the public key"] = list(forge.by_public_key(good, published(sidecar, good)))
    over = forge.parts(expired)[1]["exp"] + 1
    wait_for(lambda: time.time() > over, "the token has expired")
    return Issued(sidecar, user, good, sidecar.jwks() if alg != "HS256" else [], bad)


@pytest.fixture(scope="session")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Issued]]:
    with ExitStack() as running:
        yield cache(lambda alg: issue(alg, f"sqlite://{tmp_path_factory.mktemp(alg)}/auth.db", running))


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite://{tmp_path}/auth.db"


@pytest.fixture(scope="session")
def node() -> Iterator[NodeJose]:
    node = NodeJose()
    yield node
    node.stop()
