"""Four libraries that our users verify tokens with, each called as its documentation says."""

import json
import subprocess
from pathlib import Path
from typing import Any, Protocol

import jose.exceptions
import jose.jwt
import joserfc.errors
import joserfc.jwk
import joserfc.jwt
import jwt
from sidecar import PUBLIC_URL

Keys = list[dict[str, str]] | str  # what the service publishes, or the shared secret of HS256
REQUIRED = ["exp", "iss", "aud", "sub"]


class Refused(Exception):
    """With the library's own name of the reason."""


class Verifier(Protocol):
    def verify(self, token: str, keys: Keys, alg: str) -> dict[str, Any]:
        """The claims of a token for and by PUBLIC_URL; Refused."""


class NoKey(Exception):
    """Nothing is published under the token's key id; for libraries that leave the choice of the key to their user."""


def by_kid(kid: object, keys: list[dict[str, str]]) -> dict[str, str]:
    for key in keys:
        if key["kid"] == kid:
            return key
    raise NoKey


class PyJwt:
    def verify(self, token: str, keys: Keys, alg: str) -> dict[str, Any]:
        try:
            key = (
                keys if isinstance(keys, str) else jwt.PyJWK(by_kid(jwt.get_unverified_header(token).get("kid"), keys))
            )
            return jwt.decode(
                token, key, algorithms=[alg], issuer=PUBLIC_URL, audience=PUBLIC_URL, options={"require": REQUIRED}
            )
        except (jwt.PyJWTError, NoKey) as error:
            raise Refused(type(error).__name__) from error


class Joserfc:
    claims = joserfc.jwt.JWTClaimsRegistry(
        exp={"essential": True},
        sub={"essential": True},
        iss={"essential": True, "value": PUBLIC_URL},
        aud={"essential": True, "value": PUBLIC_URL},
    )

    def verify(self, token: str, keys: Keys, alg: str) -> dict[str, Any]:
        if isinstance(keys, str):
            key: Any = joserfc.jwk.OctKey.import_key(keys)
        else:
            key = joserfc.jwk.KeySet.import_key_set({"keys": keys})
        try:
            # Its default list has neither EdDSA nor ES512 nor PS256.
            decoded = joserfc.jwt.decode(token, key, algorithms=[alg])
            self.claims.validate(decoded.claims)
        except joserfc.errors.JoseError as error:
            raise Refused(f"{type(error).__name__} {getattr(error, 'claim', None) or ''}".strip()) from error
        return decoded.claims


class PythonJose:
    def verify(self, token: str, keys: Keys, alg: str) -> dict[str, Any]:
        try:
            key = keys if isinstance(keys, str) else by_kid(jose.jwt.get_unverified_header(token).get("kid"), keys)
            return jose.jwt.decode(
                token,
                key,
                algorithms=[alg],
                issuer=PUBLIC_URL,
                audience=PUBLIC_URL,
                options={f"require_{claim}": True for claim in REQUIRED},
            )
        except (jose.exceptions.JOSEError, NoKey) as error:
            raise Refused(f"{type(error).__name__}: {error}".strip(": ")) from error


class NodeJose:
    """The npm package, in one process for all."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("verify.mjs")
        self._process = subprocess.Popen(["node", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _ask(self, **job: Any) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(job | {"issuer": PUBLIC_URL, "audience": PUBLIC_URL}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "verify.mjs ended; is there a node_modules in integration-tests/client (npm ci)?"
        answer = json.loads(line)
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["claims"]

    def verify(self, token: str, keys: Keys, alg: str) -> dict[str, Any]:
        return self._ask(token=token, alg=alg, **({"secret": keys} if isinstance(keys, str) else {"keys": keys}))

    def verify_remotely(self, token: str, url: str, alg: str) -> dict[str, Any]:
        return self._ask(token=token, alg=alg, url=url)

    def stop(self) -> None:
        self._process.communicate()
