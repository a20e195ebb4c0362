"""Which tokens are trusted, and what happens while the sidecar cannot be asked for keys."""

import asyncio
import importlib
import json
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import forge
import pytest
from conftest import KeyFront
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from sidecar import PUBLIC_URL, Program, Sidecar, User, call, wait_for


@pytest.fixture(scope="session")
def reader(sidecar: Sidecar) -> User:
    return sidecar.sign_up(software_background="beginner")


def me(api: Program, token: str) -> int:
    return call("GET", f"{api.url}/api/me", token=token).status


def refused(api: Program, token: str) -> None:
    """Also where a token is not needed: a page with a stale one must notice."""
    for path in ("/api/me", "/api/chapters/reading-a-sensor"):
        answer = call("GET", api.url + path, token=token)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"'), answer


FORGERIES: dict[str, Callable[[str], str]] = {
    "none": forge.unsigned,
    "None": lambda token: forge.unsigned(token, "None"),
    "none with the old signature": lambda token: forge.unsigned(token, "none", token.split(".")[2]),
    "other claims": lambda token: forge.with_claims(token, software_background="advanced"),
    "no signature": lambda token: token.rsplit(".", 1)[0] + ".",
    "no key id": lambda token: forge.with_header(token, kid=None),
    "a key id that is no text": lambda token: forge.with_header(token, kid=["a"]),
    "an unknown key id": lambda token: forge.with_header(token, kid="unknown"),
    "another algorithm": lambda token: forge.with_header(token, alg="RS256"),
    "not a token": lambda token: "a.b.c",
    "two parts": lambda token: token.rsplit(".", 1)[0],
    "deep JSON": lambda token: forge.encode(b"[" * 30000) + ".e30.e30",
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_token_is_refused(forgery: str, api: Program, sidecar: Sidecar, reader: User) -> None:
    token = sidecar.token(reader)
    assert me(api, token) == 200
    refused(api, FORGERIES[forgery](token))


def test_hs256_with_the_public_key_is_refused(api: Program, sidecar: Sidecar, reader: User) -> None:
    token = sidecar.token(reader)
    kid = forge.parts(token)[0]["kid"]
    jwk = next(key for key in sidecar.jwks() if key["kid"] == kid)
    for forged in forge.by_public_key(token, jwk):
        refused(api, forged)


@pytest.mark.parametrize("setting", ["AUTH_JWT_AUDIENCE", "AUTH_JWT_ISSUER"])
def test_a_token_for_or_by_somebody_else_is_refused(
    setting: str, api: Program, database_url: str, reader: User
) -> None:
    # The same keys and sessions, so that nothing but this one claim is wrong.
    with Sidecar(database_url, **{setting: "https://elsewhere.example"}) as elsewhere:
        refused(api, elsewhere.token(reader))


def test_an_expired_token_is_refused(api: Program, database_url: str, reader: User) -> None:
    with Sidecar(database_url, AUTH_JWT_EXPIRES_IN="1s") as hasty:
        token = hasty.token(reader)
    assert me(api, token) == 200
    wait_for(lambda: me(api, token) == 401, "the token is refused")
    # Not much earlier or later than the two clocks may differ.
    assert 0 <= time.time() - forge.parts(token)[1]["exp"] <= 30
    refused(api, token)


def test_known_keys_do_without_the_sidecar(
    fronted_api: Program, front: KeyFront, sidecar: Sidecar, reader: User
) -> None:
    token = sidecar.token(reader)
    assert me(fronted_api, token) == 200
    front.stop()
    assert me(fronted_api, token) == 200
    # Whether an unknown key is the sidecar's cannot be known now: 401 would make a page sign its reader out.
    for _ in range(2):
        answer = call("GET", f"{fronted_api.url}/api/me", token=forge.with_header(token, kid="unknown"))
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert me(fronted_api, token) == 200


def test_without_any_keys_the_answer_is_503_until_the_sidecar_is_back(
    fronted_api: Program, front: KeyFront, sidecar: Sidecar, reader: User
) -> None:
    token = sidecar.token(reader)
    front.stop()
    assert me(fronted_api, token) == 503
    assert call("GET", f"{fronted_api.url}/api/chapters/reading-a-sensor", token=token).status == 503
    assert call("GET", f"{fronted_api.url}/api/chapters/reading-a-sensor").status == 200
    front.start()
    wait_for(lambda: me(fronted_api, token) == 200, "the token is accepted")
    assert front.fetches == 1


def test_invented_key_ids_cause_one_fetch(
    fronted_api: Program, front: KeyFront, sidecar: Sidecar, reader: User
) -> None:
    token = sidecar.token(reader)
    assert me(fronted_api, token) == 200
    assert front.fetches == 1
    began = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        forged = [forge.with_header(token, kid=uuid.uuid4().hex) for _ in range(64)]
        assert set(pool.map(lambda t: me(fronted_api, t), forged)) == {401}
    assert time.monotonic() - began < 5, "too slow to tell"
    assert front.fetches == 2
    assert me(fronted_api, token) == 200


def test_a_new_key_is_found_at_once(fronted_api: Program, front: KeyFront, own_sidecar: Sidecar) -> None:
    front.sidecar = own_sidecar
    reader = own_sidecar.sign_up()
    old = own_sidecar.token(reader)
    assert me(fronted_api, old) == 200
    own_sidecar.run("keys", "rotate", "--now")

    def rotated() -> str | None:
        token = own_sidecar.token(reader)
        return token if forge.parts(token)[0]["kid"] != forge.parts(old)[0]["kid"] else None

    new = wait_for(rotated, "tokens are signed with the new key")
    assert (me(fronted_api, new), me(fronted_api, old)) == (200, 200)
    assert front.fetches == 2


@pytest.fixture
def auth(front: KeyFront, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """app/auth.py in this process, for what cannot be seen from outside in good time."""
    monkeypatch.setenv("AUTH_ISSUER", PUBLIC_URL)
    monkeypatch.setenv("AUTH_JWKS_URL", front.url)
    monkeypatch.delenv("AUTH_AUDIENCE", raising=False)
    monkeypatch.delenv("AUTH_ALGORITHMS", raising=False)
    return importlib.reload(importlib.import_module("app.auth"))


def test_many_first_requests_share_one_fetch(auth: ModuleType, front: KeyFront, sidecar: Sidecar, reader: User) -> None:
    token = sidecar.token(reader)

    async def all_at_once() -> set[str]:
        return {claims.sub for claims in await asyncio.gather(*(auth.verify(token) for _ in range(50)))}

    assert asyncio.run(all_at_once()) == {reader.id}
    assert front.fetches == 1


@pytest.mark.parametrize("fresh_for", [300, 0])
def test_a_known_key_does_not_wait_for_a_fetch(
    fresh_for: int, auth: ModuleType, front: KeyFront, sidecar: Sidecar, reader: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = sidecar.token(reader)

    async def scenario() -> None:
        await auth.verify(token)
        front.open.clear()
        monkeypatch.setattr(auth, "FRESH_FOR", fresh_for)
        search = asyncio.create_task(auth.verify(forge.with_header(token, kid="unknown")))
        await asyncio.to_thread(wait_for, lambda: front.fetches == 2, "somebody fetches")
        await auth.verify(token)
        assert not search.done()
        front.open.set()
        with pytest.raises(auth.jwt.InvalidTokenError, match="its key is unknown"):
            await search

    asyncio.run(scenario())


def test_a_revoked_key_goes_out_of_use(
    auth: ModuleType, front: KeyFront, own_sidecar: Sidecar, monkeypatch: pytest.MonkeyPatch
) -> None:
    front.sidecar = own_sidecar
    token = own_sidecar.token(own_sidecar.sign_up())
    kid = forge.parts(token)[0]["kid"]

    async def scenario() -> None:
        await auth.verify(token)
        own_sidecar.run("keys", "revoke", kid)
        await asyncio.to_thread(
            wait_for, lambda: kid not in {key["kid"] for key in own_sidecar.jwks()}, "the key is gone"
        )
        await auth.verify(token)  # the keys here are still fresh
        monkeypatch.setattr(auth, "FRESH_FOR", 0)
        with pytest.raises(auth.jwt.InvalidTokenError, match="its key is unknown"):
            await auth.verify(token)

    asyncio.run(scenario())


@pytest.mark.parametrize("document", ["", "[]", "{}", '{"keys": {}}', '{"keys": [' + " " * 300_000 + "]}"])
def test_a_document_that_is_no_key_set_is_no_answer(
    document: str, auth: ModuleType, front: KeyFront, sidecar: Sidecar, reader: User
) -> None:
    token = sidecar.token(reader)
    front.document = document
    for _ in range(3):
        with pytest.raises(auth.KeysUnavailable):
            asyncio.run(auth.verify(token))
    assert front.fetches == 1, "a sidecar in trouble is left alone for a while"


@pytest.mark.parametrize(
    "keys", ["", 'null, 1, {}, {"kty": "OKP"}', '{"kty": "oct", "alg": "HS256", "k": "AAAA", "kid": "KID"}']
)
def test_a_key_set_without_usable_keys_is_believed(
    keys: str, auth: ModuleType, front: KeyFront, sidecar: Sidecar, reader: User
) -> None:
    token = sidecar.token(reader)
    front.document = f'{{"keys": [{keys}]}}'.replace("KID", forge.parts(token)[0]["kid"])
    with pytest.raises(auth.jwt.InvalidTokenError, match="its key is unknown"):
        asyncio.run(auth.verify(token))
    assert front.fetches == 1


def test_a_token_that_names_no_key_causes_no_fetch(
    auth: ModuleType, front: KeyFront, sidecar: Sidecar, reader: User
) -> None:
    token = forge.with_header(sidecar.token(reader), kid=None)
    with pytest.raises(auth.jwt.InvalidTokenError, match="it names no key"):
        asyncio.run(auth.verify(token))
    assert front.fetches == 0


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        *((claim, f'missing the "{claim}" claim') for claim in ("exp", "iss", "aud", "sub")),
        ("name", "its claims are not the expected ones"),
    ],
)
def test_a_token_that_lacks_a_claim_is_refused(
    claim: str, reason: str, auth: ModuleType, front: KeyFront, sidecar: Sidecar, reader: User
) -> None:
    # The sidecar makes no such tokens, so the key is our own for once.
    private = Ed25519PrivateKey.generate()
    public = OKPAlgorithm.to_jwk(private.public_key(), as_dict=True) | {"kid": "own"}
    front.document = json.dumps({"keys": [public]})
    _, claims = forge.parts(sidecar.token(reader))

    def sign() -> str:
        return auth.jwt.encode(claims, private, "EdDSA", {"kid": "own"})

    assert asyncio.run(auth.verify(sign())).sub == reader.id
    del claims[claim]
    with pytest.raises(auth.jwt.InvalidTokenError, match=reason):
        asyncio.run(auth.verify(sign()))
