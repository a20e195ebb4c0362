"""The service's own check of its tokens, `GET /auth/me` with `Authorization: Bearer`."""

from collections.abc import Callable
from typing import Any

import forge
import pytest
from conftest import ALGORITHMS, SECRET, Issued, kid, published
from sidecar import PUBLIC_URL, Sidecar, call

# jwk members that are not public, of every kind of key (RFC 7518 §6).
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
KIND = {
    "EdDSA": ("OKP", "Ed25519"),
    "ES256": ("EC", "P-256"),
    "ES512": ("EC", "P-521"),
    "RS256": ("RSA", None),
    "PS256": ("RSA", None),
}


def is_refused(sidecar: Sidecar, token: str) -> None:
    answer = sidecar.me(token)
    assert (answer.status, set(answer.json)) == (401, {"code", "message"}), (answer, forge_view(token))


def forge_view(token: str) -> Any:
    try:
        return forge.parts(token)
    except ValueError:
        return token


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_token_names_a_published_key(alg: str, issued: Callable[[str], Issued]) -> None:
    by = issued(alg)
    header, _ = forge.parts(by.good)
    assert header["alg"] == alg
    key = published(by.sidecar, by.good)
    assert (key["alg"], key["kty"], key.get("crv")) == (alg, *KIND[alg])
    assert not PRIVATE & set(key)
    assert call("GET", f"{by.sidecar.url}/.well-known/jwks.json").json["keys"] == by.sidecar.jwks()


@pytest.mark.parametrize("alg", [*ALGORITHMS, "HS256"])
def test_a_good_token_is_accepted(alg: str, issued: Callable[[str], Issued]) -> None:
    by = issued(alg)
    answer = by.sidecar.me(by.good)
    assert (answer.status, answer.json["user"]["id"]) == (200, by.user.id)


@pytest.mark.parametrize("alg", [*ALGORITHMS, "HS256"])
def test_a_bad_token_is_refused(alg: str, issued: Callable[[str], Issued]) -> None:
    by = issued(alg)
    assert len(by.bad) == (6 if alg == "HS256" else 8)
    for token in (token for tokens in by.bad.values() for token in tokens):
        is_refused(by.sidecar, token)
    # They did no harm either.
    assert by.sidecar.me(by.good).status == 200


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_every_part_of_a_token_is_signed(alg: str, issued: Callable[[str], Issued]) -> None:
    by = issued(alg)
    for number, part in enumerate(by.good.split(".")):
        for at in (0, len(part) // 2):
            parts = by.good.split(".")
            parts[number] = part[:at] + ("A" if part[at] != "A" else "B") + part[at + 1 :]
            is_refused(by.sidecar, ".".join(parts))
    for broken in (by.good + ".", "." + by.good, by.good + "=", by.good[:-8], by.good.rsplit(".", 1)[0] + "."):
        is_refused(by.sidecar, broken)


def test_a_shared_secret_is_never_published(issued: Callable[[str], Issued]) -> None:
    answer = call("GET", issued("HS256").sidecar.jwks_url)
    assert SECRET not in answer.text
    assert all(key["kty"] != "oct" for key in answer.json.get("keys", []))


def forged(by: Issued, header: dict[str, Any] | None = None, secret: str = SECRET, **changes: Any) -> str:
    return forge.hs256(forge.claims_now(PUBLIC_URL, by.user.id, **changes), secret.encode(), header)


PAST, FUTURE = 1_000_000_000, 4_102_444_800  # 2001 and 2100
WRONG_CLAIMS = [
    {"exp": None},
    {"exp": str(FUTURE)},
    {"exp": 1e30},
    {"exp": FUTURE + 0.5},
    {"exp": 2**63},
    {"exp": -1},
    {"exp": 0},
    {"exp": PAST},
    {"exp": True},
    {"exp": [FUTURE]},
    {"iat": None},
    {"iat": -1},
    {"iat": -(2**63)},
    {"iat": FUTURE},
    {"iat": str(PAST)},
    {"nbf": str(PAST)},
    {"nbf": FUTURE},
    {"nbf": -1},
    {"nbf": 1e30},
    {"iss": None},
    {"iss": "https://elsewhere.example"},
    {"iss": PUBLIC_URL + "/"},
    {"aud": None},
    {"aud": "https://elsewhere.example"},
    {"aud": []},
    {"sub": None},
    {"sub": "nobody"},
    {"sub": ""},
    {"sub": 1},
    {"sub": "\0"},
]


@pytest.mark.parametrize("claims", WRONG_CLAIMS, ids=str)
def test_claims_of_a_wrong_kind_are_refused_though_well_signed(
    claims: dict[str, Any], issued: Callable[[str], Issued]
) -> None:
    by = issued("HS256")
    # With the same hand, and right in everything: the refusal is about the claim.
    assert by.sidecar.me(forged(by)).status == 200
    is_refused(by.sidecar, forged(by, **claims))


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "HS512"},
        {"alg": "EdDSA"},
        {"alg": None},
        {"alg": "hs256"},
        {"crit": ["exp"]},
        {"crit": []},
        {"kid": 1},
    ],
    ids=str,
)
def test_a_header_of_a_wrong_kind_is_refused_though_well_signed(
    header: dict[str, Any], issued: Callable[[str], Issued]
) -> None:
    by = issued("HS256")
    assert by.sidecar.me(forged(by)).status == 200
    is_refused(by.sidecar, forged(by, header))


def test_hs256_is_refused_where_keys_sign(database_url: str) -> None:
    with Sidecar(database_url, AUTH_JWT_ALG="EdDSA") as sidecar:
        user = sidecar.sign_up()
        good = sidecar.token(user)
        _, claims = forge.parts(good)
        for secret in ("", sidecar.environment["BETTER_AUTH_SECRET"], SECRET):
            for header in ({}, {"kid": kid(good)}):
                is_refused(sidecar, forge.hs256(claims, secret.encode(), header))
        assert sidecar.me(good).status == 200


def test_signing_out_ends_tokens_at_once(issued: Callable[[str], Issued]) -> None:
    sidecar = issued("EdDSA").sidecar
    user = sidecar.sign_up()
    token = sidecar.token(user)
    assert sidecar.me(token).status == 200
    assert call("POST", f"{sidecar.url}/api/auth/sign-out", token=user.session).status == 200
    is_refused(sidecar, token)
