"""The sidecar on PostgreSQL and this application, as real processes.

AUTH_SIDECAR_BIN names the program (else ../../target/release/auth-sidecar), TEST_DATABASE_URL a PostgreSQL server by an
administrator's URL (else one is started for the run).
"""

import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest
from sidecar import PUBLIC_URL, REPOSITORY, Program, Sidecar, call, free_port

HERE = Path(__file__).resolve().parents[1]
SITE = "https://site.example.test"


class KeyFront:
    """Between the application and the sidecar's keys: counts the fetches, holds or falsifies them, or is away."""

    def __init__(self, sidecar: Sidecar) -> None:
        self.sidecar = sidecar
        self.document: str | None = None  # what is answered instead of the keys
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/jwks"
        self.fetches = 0
        self.open = threading.Event()  # while it is not set, no fetch gets an answer
        self.open.set()
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        front = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                front.fetches += 1
                front.open.wait(30)
                body = call("GET", front.sidecar.jwks_url).text if front.document is None else front.document
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@pytest.fixture(scope="session")
def administrator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    state = str(tmp_path_factory.mktemp("postgres") / "state")
    script = [str(REPOSITORY / "scripts/postgres")]
    environment = os.environ | {"POSTGRES_STATE": state}
    yield subprocess.run(
        [*script, "start"], env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()
    subprocess.run([*script, "stop"], env=environment, check=True)


@pytest.fixture(scope="session")
def new_database(administrator: str) -> Iterator[Callable[[], str]]:
    made = []

    def create() -> str:
        name = f"fastapi_backend_{uuid.uuid4().hex}"
        with psycopg.connect(administrator, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        made.append(name)
        return f"{administrator.partition('?')[0].rpartition('/')[0]}/{name}"

    yield create
    with psycopg.connect(administrator, autocommit=True) as connection:
        for name in made:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def database_url(new_database: Callable[[], str]) -> str:
    return new_database()


LEVELS = {"AUTH_FIELD_SOFTWARE_BACKGROUND_VALUES": "beginner,intermediate,advanced"}


@pytest.fixture(scope="session")
def sidecar(database_url: str) -> Iterator[Sidecar]:
    with Sidecar(database_url, **LEVELS) as running:
        yield running


def backend(database_url: str, jwks_url: str, **settings: str) -> Program:
    """The application as its container runs it; the caller waits for it and ends it."""
    port = free_port()
    defaults = {
        "DATABASE_URL": database_url,
        "AUTH_ISSUER": PUBLIC_URL,
        "AUTH_AUDIENCE": PUBLIC_URL,
        "AUTH_JWKS_URL": jwks_url,
        "CORS_ORIGINS": f"{SITE}, http://localhost:3000",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-m", "uvicorn", "app.main:app", "--host", "127.0.0.1", "--port", str(port)]
    return Program(command, defaults | settings, port=port, ready="/api/health", cwd=HERE)


@pytest.fixture
def own_sidecar(new_database: Callable[[], str]) -> Iterator[Sidecar]:
    """One whose keys may be changed: other tests know those of `sidecar`."""
    with Sidecar(new_database(), **LEVELS) as running:
        yield running


@pytest.fixture
def front(sidecar: Sidecar) -> Iterator[KeyFront]:
    front = KeyFront(sidecar)
    front.start()
    yield front
    front.open.set()
    front.stop()


@pytest.fixture(scope="session")
def api(sidecar: Sidecar, database_url: str) -> Iterator[Program]:
    with backend(database_url, sidecar.jwks_url) as running:
        yield running


@pytest.fixture
def fronted_api(front: KeyFront, database_url: str) -> Iterator[Program]:
    """An application of its own, which has no keys yet and gets them through `front`."""
    with backend(database_url, front.url) as running:
        yield running
