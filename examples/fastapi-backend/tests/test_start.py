"""What the application wants before it serves."""

import importlib
from collections.abc import Callable

import psycopg
import pytest
from conftest import LEVELS, backend
from sidecar import Sidecar, call, wait_for


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}


def test_the_start_waits_for_the_sidecars_tables(new_database: Callable[[], str]) -> None:
    url = new_database()
    api = backend(url, "http://127.0.0.1:1/")
    try:
        wait_for(lambda: "there is no table users yet" in api.log(), "it says what it waits for")
        assert tables(url) == set()
        assert not api.is_ready()
        with Sidecar(url, **LEVELS):
            api.wait_until_ready()
        assert "reading_progress" in tables(url)
    finally:
        api.kill()


def test_replicas_create_tables_one_after_the_other(
    new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = new_database()
    monkeypatch.setenv("DATABASE_URL", url)
    lock = importlib.import_module("app.database").LOCK
    waiting = (
        "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database "
        "WHERE datname = current_database() AND NOT granted"
    )
    with Sidecar(url), psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [lock])
        replicas = [backend(url, "http://127.0.0.1:1/") for _ in range(3)]
        try:
            wait_for(lambda: connection.execute(waiting).fetchone() == (3,), "all three want to create the table")
            connection.execute("SELECT pg_advisory_unlock(%s)", [lock])
            for replica in replicas:
                replica.wait_until_ready()
        finally:
            for replica in replicas:
                replica.kill()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_every_spelling_of_the_database_url_is_understood(scheme: str, sidecar: Sidecar, database_url: str) -> None:
    url = f"{scheme}://{database_url.split('://')[1]}?sslmode=prefer&channel_binding=prefer"
    with backend(url, sidecar.jwks_url) as api:
        assert call("GET", f"{api.url}/api/health").json == {"status": "ok"}


def test_sslmode_reaches_the_driver(sidecar: Sidecar, database_url: str) -> None:
    api = backend(f"{database_url}?sslmode=require", sidecar.jwks_url)
    try:
        wait_for(lambda: "server does not support SSL, but SSL was required" in api.log(), "TLS is insisted on")
    finally:
        api.kill()


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("AUTH_ISSUER", "", "AUTH_ISSUER is not set"),
        ("AUTH_JWKS_URL", " ", "AUTH_JWKS_URL is not set"),
        ("AUTH_JWKS_URL", "file:///etc/passwd", "AUTH_JWKS_URL is not an http address"),
        ("AUTH_ALGORITHMS", "EdDSA,HS256", "AUTH_ALGORITHMS: HS256: only EdDSA,"),
        ("AUTH_ALGORITHMS", "none", "AUTH_ALGORITHMS: none: only EdDSA,"),
        ("DATABASE_URL", "sqlite:///x.db", "DATABASE_URL must be set and begin with postgres://"),
    ],
)
def test_a_wrong_setting_stops_the_start(
    setting: str, value: str, message: str, sidecar: Sidecar, database_url: str
) -> None:
    api = backend(database_url, sidecar.jwks_url, **{setting: value})
    try:
        wait_for(lambda: api.ended() is not None, "it ends")
        assert api.ended() != 0
        assert message in api.log()
    finally:
        api.stop()


def test_health_needs_the_database(new_database: Callable[[], str], administrator: str) -> None:
    url = new_database()
    with Sidecar(url) as sidecar, backend(url, sidecar.jwks_url) as api:
        assert call("GET", f"{api.url}/api/health").status == 200
        name = url.rpartition("/")[2]
        with psycopg.connect(administrator, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            answer = call("GET", f"{api.url}/api/health")
            assert (answer.status, answer.json) == (503, {"detail": "the database does not answer"})
            connection.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
        assert call("GET", f"{api.url}/api/health").status == 200
