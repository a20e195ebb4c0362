"""A database of its own for a test, as two programs name it, and `auth-sidecar adopt` on it."""

import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sidecar import program
from sqlalchemy import create_engine, text

DATABASES = ["postgresql", "sqlite"]


class Database(NamedTuple):
    kind: str
    url: str  # for DATABASE_URL
    place: str  # what follows the driver in SQLAlchemy's URL

    def engine_url(self, driver: str) -> str:
        return f"{driver}{self.place}"

    def named(self, table: str) -> str:
        """The table as `--table` has it."""
        return f"public.{table}" if self.kind == "postgresql" else table


@contextmanager
def database(kind: str, folder: Path) -> Iterator[Database]:
    """An empty one: a file in the folder, or one of the PostgreSQL that TEST_DATABASE_URL is an administrator's URL of."""
    if kind == "sqlite":
        # The path is absolute; SQLAlchemy wants one more slash before it.
        path = folder / "users.db"
        yield Database(kind, f"sqlite://{path}", f":///{path}")
        return
    admin = os.environ.get("TEST_DATABASE_URL")
    assert admin, "TEST_DATABASE_URL has to name an administrator's PostgreSQL: scripts/postgres start prints one"
    name = f"adoption_{uuid.uuid4().hex}"
    server = create_engine(admin.replace("postgres://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
    url = f"{admin.rsplit('/', 1)[0]}/{name}"
    try:
        yield Database(kind, url, url.removeprefix("postgres"))
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        server.dispose()


def adopt(url: str, *arguments: str) -> str:
    environment = {"DATABASE_URL": url, "BETTER_AUTH_URL": "https://book.example.test", "PATH": os.environ["PATH"]}
    environment["BETTER_AUTH_SECRET"] = "only-for-tests-0123456789abcdefghijklmnop"
    done = subprocess.run([program(), "adopt", *arguments], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
