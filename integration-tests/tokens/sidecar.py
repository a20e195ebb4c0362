"""Starts auth-sidecar and other programs for tests, and speaks with them. The standard library is all it needs."""

import json
import os
import re
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

REPOSITORY = Path(__file__).resolve().parents[2]
PUBLIC_URL = "https://book.example.test"  # nobody listens there: what is fetched is fetched from 127.0.0.1
PASSWORD = "correct-horse-1"

# Settings of the machine must not change what is tested.
_FOREIGN = re.compile(
    r"(AUTH_|BETTER_AUTH_|CORS_)|(DATABASE_URL|HOST|PORT|RUST_LOG|PYTHONPATH)$|.*_proxy$", re.IGNORECASE
)
_open = build_opener(ProxyHandler({})).open


class Answer(NamedTuple):
    status: int
    headers: Any
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def call(
    method: str, url: str, *, token: str | None = None, body: Any = None, headers: dict[str, str] | None = None
) -> Answer:
    """One request; `token` goes into Authorization, `body` is sent as JSON. Every status is an answer."""
    request = Request(url, method=method, headers=headers or {})
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    try:
        with _open(request, timeout=30) as response:
            return Answer(response.status, response.headers, response.read().decode())
    except HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read().decode())


def wait_for(condition: Callable[[], Any], what: str, limit: float = 30) -> Any:
    """The first true value of `condition`."""
    deadline = time.monotonic() + limit
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"after {limit} s still not: {what}")
        time.sleep(0.05)
    return value


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Program:
    """A process that answers at `url`, with its output in a file. Also a context manager that ends it."""

    def __init__(
        self, command: list[str], settings: dict[str, str], *, port: int, ready: str, cwd: Path | None = None
    ) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {k: v for k, v in os.environ.items() if not _FOREIGN.match(k)} | settings
        self._ready = self.url + ready
        self._log = tempfile.NamedTemporaryFile(prefix="auth-sidecar-test-", suffix=".log")
        self._process = subprocess.Popen(
            command, env=self.environment, cwd=cwd, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT
        )

    def log(self) -> str:
        return Path(self._log.name).read_text(errors="replace")

    def ended(self) -> int | None:
        return self._process.poll()

    def is_ready(self) -> bool:
        assert self.ended() is None, f"it ended with {self.ended()}:\n{self.log()}"
        try:
            return call("GET", self._ready).status == 200
        except OSError:
            return False

    def wait_until_ready(self) -> Self:
        try:
            wait_for(self.is_ready, f"{self._ready} answers 200")
        except AssertionError as error:
            self.stop()
            raise AssertionError(f"{error}\n{self.log()}") from None
        return self

    def stop(self) -> None:
        if self.ended() is None:
            self._process.terminate()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """For a program that is still starting, and may not listen to a polite request yet."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self.wait_until_ready()

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._log.close()


def program() -> str:
    """AUTH_SIDECAR_BIN, else the release build."""
    path = Path(os.environ.get("AUTH_SIDECAR_BIN") or REPOSITORY / "target/release/auth-sidecar").resolve()
    assert path.exists(), f"there is no {path}: run `cargo build --release` or set AUTH_SIDECAR_BIN"
    return str(path)


class User(NamedTuple):
    id: str
    email: str
    session: str  # the token of the session, which is no JWT


class Sidecar(Program):
    def __init__(self, database_url: str, **settings: str) -> None:
        port = free_port()
        defaults = {
            "BETTER_AUTH_URL": PUBLIC_URL,
            "BETTER_AUTH_SECRET": "only-for-tests-0123456789abcdefghijklmnop",
            "DATABASE_URL": database_url,
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "RUST_LOG": "warn",
            "AUTH_RATE_LIMIT": "false",
            "AUTH_USER_DELETE_USER_ENABLED": "true",
        }
        super().__init__([program(), "serve"], defaults | settings, port=port, ready="/health/ready")

    @property
    def jwks_url(self) -> str:
        return f"{self.url}/api/auth/jwks"

    def jwks(self) -> list[dict[str, str]]:
        answer = call("GET", self.jwks_url)
        assert answer.status == 200, answer
        return answer.json["keys"]

    def run(self, *arguments: str) -> str:
        """Another command of the program, with the settings of this service."""
        done = subprocess.run(
            [program(), *arguments], env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{arguments} ended with {done.returncode}: {done.stderr or done.stdout}"
        return done.stdout

    def sign_up(self, **fields: str) -> User:
        email = f"{uuid.uuid4().hex}@example.com"
        body = {"name": "Ada", "email": email, "password": PASSWORD} | fields
        answer = call("POST", f"{self.url}/auth/register", body=body)
        assert answer.status == 201, answer
        return User(answer.json["user"]["id"], email, answer.json["token"])

    def token(self, user: User) -> str:
        """A new JWT for the session of the user."""
        answer = call("GET", f"{self.url}/auth/token", token=user.session)
        assert answer.status == 200, answer
        return answer.json["access_token"]

    def me(self, token: str) -> Answer:
        return call("GET", f"{self.url}/auth/me", token=token)
