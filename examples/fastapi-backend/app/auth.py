"""Who is asking: verifies the tokens of auth-sidecar by its published keys.

To use it in another FastAPI application copy this file, and put the output of
`auth-sidecar types --pydantic` beside it as claims.py. It needs fastapi and PyJWT[crypto].

    AUTH_ISSUER      what `iss` must be: the PUBLIC origin of the sidecar, https://example.com
    AUTH_AUDIENCE    what `aud` must be; AUTH_ISSUER if not set, as in the sidecar
    AUTH_JWKS_URL    where THIS process gets the keys, http://sidecar:4000/api/auth/jwks
    AUTH_ALGORITHMS  the accepted ones, comma separated; all that the sidecar can publish keys for if not set

    @app.get("/mine")
    def mine(user: CurrentUser): ...    # 401 without a valid token

    @app.get("/chapter")
    def chapter(user: OptionalUser): ...    # user is None without a token; a bad token is still 401
"""

import asyncio
import json
import logging
import math
import os
import time
from http.client import HTTPException as HTTPClientError
from typing import Annotated
from urllib.request import urlopen

import jwt
from fastapi import Depends, HTTPException, status
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import ValidationError

from .claims import UserClaims

log = logging.getLogger("uvicorn.error")  # where uvicorn's users look; another name is as good

# HMAC is not among them: with a shared secret every reader of tokens could also make them.
ASYMMETRIC = ("EdDSA", "ES256", "ES512", "RS256", "PS256")

LEEWAY = 10  # seconds by which the clocks of the two machines may differ
FRESH_FOR = 300  # seconds; older keys are fetched anew, so that a revoked one goes out of use
PAUSE = 5  # seconds between two fetches for unknown keys, and after a fetch that failed
TIMEOUT = 3  # seconds a fetch may wait for the sidecar
MAX_SIZE = 256 * 1024  # bytes of a key set


def _setting(name: str, default: str = "") -> str:
    value = os.environ.get(name, "").strip() or default
    if not value:
        raise RuntimeError(f"{name} is not set; app/auth.py says what it is")
    return value


ISSUER = _setting("AUTH_ISSUER")
AUDIENCE = _setting("AUTH_AUDIENCE", ISSUER)
JWKS_URL = _setting("AUTH_JWKS_URL")
ALGORITHMS = [name.strip() for name in _setting("AUTH_ALGORITHMS", ",".join(ASYMMETRIC)).split(",")]

if not JWKS_URL.startswith(("http://", "https://")):
    raise RuntimeError(f"AUTH_JWKS_URL is not an http address: {JWKS_URL}")
if unknown := set(ALGORITHMS) - set(ASYMMETRIC):
    raise RuntimeError(f"AUTH_ALGORITHMS: {', '.join(sorted(unknown))}: only {', '.join(ASYMMETRIC)} can be accepted")


class KeysUnavailable(Exception):
    """Whether a token is good cannot be known now."""


class PublicKeys:
    """The sidecar's keys by their `kid`. A key that is known is never waited for while somebody else fetches."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: dict[str, jwt.PyJWK] = {}
        self._lock = asyncio.Lock()
        self._fetched = self._failed = self._searched = -math.inf

    async def find(self, kid: str) -> jwt.PyJWK | None:
        """None if the sidecar has no such key. If it cannot be asked, known keys stay good and others raise."""
        if kid in self._keys and (self._lock.locked() or time.monotonic() - self._fetched < FRESH_FOR):
            return self._keys[kid]
        async with self._lock:
            now = time.monotonic()
            stale = now - self._fetched >= FRESH_FOR
            # Anybody can invent key ids: they must not make us flood the sidecar with requests.
            search = kid not in self._keys and now - self._searched >= PAUSE
            if (stale or search) and now - self._failed >= PAUSE:
                if not stale:
                    self._searched = now
                await self._fetch()
            if kid not in self._keys and self._failed > self._fetched:
                raise KeysUnavailable
            return self._keys.get(kid)

    async def _fetch(self) -> None:
        try:
            self._keys = await run_in_threadpool(self._download)
            self._fetched = time.monotonic()
        except (OSError, HTTPClientError, ValueError) as error:
            self._failed = time.monotonic()
            log.warning("cannot get keys from %s: %s", self._url, error)

    def _download(self) -> dict[str, jwt.PyJWK]:
        with urlopen(self._url, timeout=TIMEOUT) as response:
            body = response.read(MAX_SIZE + 1)
        if len(body) > MAX_SIZE:
            raise ValueError("the key set is too large")
        document = json.loads(body)
        if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
            raise ValueError("this is not a key set")
        found = {}
        for item in document["keys"]:
            try:
                key = jwt.PyJWK(item)
            except (jwt.PyJWTError, AttributeError, TypeError):
                continue  # of a kind that this library does not know
            if isinstance(key.key_id, str) and key.algorithm_name in ALGORITHMS:
                found[key.key_id] = key
        if not found:
            # Believed all the same: somebody may just have revoked the only key.
            log.warning("%s has no key for %s", self._url, ", ".join(ALGORITHMS))
        return found


keys = PublicKeys(JWKS_URL)


async def verify(token: str) -> UserClaims:
    """Raises jwt.PyJWTError for a token that is not good, KeysUnavailable if that cannot be known."""
    kid = jwt.get_unverified_header(token).get("kid")
    if not kid:
        raise jwt.InvalidTokenError("it names no key")
    key = await keys.find(kid)
    if key is None:
        raise jwt.InvalidTokenError("its key is unknown")
    # PyJWT also demands that the token's algorithm is that of the key.
    claims = jwt.decode(
        token,
        key,
        algorithms=ALGORITHMS,
        issuer=ISSUER,
        audience=AUDIENCE,
        leeway=LEEWAY,
        options={"require": ["exp", "iss", "aud", "sub"]},
    )
    try:
        return UserClaims.model_validate(claims)
    except ValidationError as error:
        log.error("a good token does not fit claims.py, print it anew with `auth-sidecar types --pydantic`: %s", error)
        raise jwt.InvalidTokenError("its claims are not the expected ones") from error


def unauthorized(reason: str, challenge: str = 'Bearer error="invalid_token"') -> HTTPException:
    return HTTPException(status.HTTP_401_UNAUTHORIZED, reason, {"WWW-Authenticate": challenge})


Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


async def optional_user(credentials: Credentials) -> UserClaims | None:
    if credentials is None:
        return None
    try:
        return await verify(credentials.credentials)
    except jwt.PyJWTError as error:
        raise unauthorized(f"the token is refused: {error}") from error
    except KeysUnavailable as error:
        raise HTTPException(
            status.HTTP_503_SERVICE_UNAVAILABLE,
            "tokens cannot be verified at the moment",
            {"Retry-After": str(PAUSE)},
        ) from error


OptionalUser = Annotated[UserClaims | None, Depends(optional_user)]


async def current_user(user: OptionalUser) -> UserClaims:
    if user is None:
        raise unauthorized("sign in first", "Bearer")
    return user


CurrentUser = Annotated[UserClaims, Depends(current_user)]
