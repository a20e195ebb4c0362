"""Rotated, revoked and changed keys, as verifiers see them."""

import jwt
import pytest
from conftest import ALGORITHMS, kid
from sidecar import PUBLIC_URL, Sidecar, User, wait_for
from verifiers import Joserfc, NodeJose, PyJwt, PythonJose, Refused


def kids(sidecar: Sidecar) -> set[str]:
    return {key["kid"] for key in sidecar.jwks()}


def signed_by_another(sidecar: Sidecar, user: User, old: str) -> str:
    """A token with another key than `old` has, as soon as the running service uses one."""

    def token() -> str | None:
        new = sidecar.token(user)
        return new if kid(new) != old else None

    return wait_for(token, f"tokens are not signed by {old} any more")


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_rotated_key_stays_published_and_a_revoked_one_is_gone(alg: str, database_url: str, node: NodeJose) -> None:
    libraries = [PyJwt(), Joserfc(), node] + ([PythonJose()] if alg in ("ES256", "ES512", "RS256") else [])
    with Sidecar(database_url, AUTH_JWT_ALG=alg) as sidecar:
        user = sidecar.sign_up()
        old = sidecar.token(user)
        assert kids(sidecar) == {kid(old)}

        # Two libraries fetch and keep the keys by themselves. By default both wait for 30 s after any fetch before they
        # look for a key they do not know; here that is off, so that the tests need not wait.
        client = jwt.PyJWKClient(sidecar.jwks_url, cooldown_duration=0)

        def kept_keys_accept(token: str) -> None:
            key = client.get_signing_key_from_jwt(token)
            assert jwt.decode(token, key, [alg], issuer=PUBLIC_URL, audience=PUBLIC_URL)["sub"] == user.id
            assert node.verify_remotely(token, sidecar.jwks_url, alg)["sub"] == user.id

        kept_keys_accept(old)

        sidecar.run("keys", "rotate", "--now")
        new = signed_by_another(sidecar, user, kid(old))
        assert kids(sidecar) == {kid(old), kid(new)}
        for token in (new, old):
            kept_keys_accept(token)
            assert sidecar.me(token).status == 200
            for library in libraries:
                assert library.verify(token, sidecar.jwks(), alg)["sub"] == user.id
        assert kid(sidecar.token(user)) == kid(new), "the new key goes on signing"

        sidecar.run("keys", "revoke", kid(old))
        wait_for(lambda: kids(sidecar) == {kid(new)}, "the revoked key is published no more")
        wait_for(lambda: sidecar.me(old).status == 401, "the service itself refuses the old token")
        assert sidecar.me(new).status == 200
        for library in libraries:
            assert library.verify(new, sidecar.jwks(), alg)["sub"] == user.id
            with pytest.raises(Refused):
                library.verify(old, sidecar.jwks(), alg)
        listed = sidecar.run("keys", "list")
        assert kid(new) in listed and kid(old) not in listed


def test_a_new_key_follows_when_the_last_one_is_revoked(database_url: str) -> None:
    with Sidecar(database_url) as sidecar:
        user = sidecar.sign_up()
        old = sidecar.token(user)
        sidecar.run("keys", "revoke", kid(old))
        new = signed_by_another(sidecar, user, kid(old))
        assert kids(sidecar) == {kid(new)}
        assert (sidecar.me(old).status, sidecar.me(new).status) == (401, 200)


def test_another_algorithm_leaves_old_tokens_good(database_url: str, node: NodeJose) -> None:
    with Sidecar(database_url) as sidecar:
        user = sidecar.sign_up()
        old = sidecar.token(user)
    with Sidecar(database_url, AUTH_JWT_ALG="RS256") as sidecar:
        new = sidecar.token(user)
        keys = sidecar.jwks()
        assert {(key["kid"], key["alg"]) for key in keys} == {(kid(old), "EdDSA"), (kid(new), "RS256")}
        for library in (PyJwt(), Joserfc(), node):
            assert library.verify(old, keys, "EdDSA")["sub"] == library.verify(new, keys, "RS256")["sub"] == user.id
        assert PythonJose().verify(new, keys, "RS256")["sub"] == user.id
        assert (sidecar.me(old).status, sidecar.me(new).status) == (200, 200)


def test_a_wrong_key_id_cannot_be_revoked(database_url: str) -> None:
    with Sidecar(database_url) as sidecar:
        token = sidecar.token(sidecar.sign_up())
        with pytest.raises(AssertionError, match="there is no key unknown"):
            sidecar.run("keys", "revoke", "unknown")
        assert kids(sidecar) == {kid(token)}


def test_replicas_publish_and_accept_each_others_keys(database_url: str) -> None:
    with Sidecar(database_url) as one, Sidecar(database_url) as other:
        user = one.sign_up()
        old = one.token(user)
        assert kids(other) == {kid(old)}
        one.run("keys", "rotate", "--now")
        new = signed_by_another(one, user, kid(old))
        # At once: a verifier that looks for the new key may reach either.
        assert kids(other) == {kid(old), kid(new)}
        assert (other.me(old).status, other.me(new).status) == (200, 200)
