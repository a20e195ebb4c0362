"""Tables of users made by SQLAlchemy with hashes made by passlib (and an old bcrypt), as FastAPI applications keep them:
adopted, then used by both programs at once. PostgreSQL, with TEST_DATABASE_URL naming its administrator."""

import os
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from passlib.context import CryptContext
from sidecar import PASSWORD, Answer, Sidecar, call, program
from sqlalchemy import Boolean, Column, DateTime, Engine, ForeignKey, Integer, MetaData, String, Table, Uuid, create_engine, func, insert, select, text, update

# What the service makes by default, bcrypt, is among them: so passlib verifies its hashes too.
CONTEXT = CryptContext(schemes=["bcrypt", "bcrypt_sha256", "argon2"])
HASHES = ["bcrypt", "bcrypt_sha256", "argon2"]
# A password beyond the 72 bytes that bcrypt looks at, which only the other two tell from its beginning.
LONG = "correct horse battery staple, " * 3


@dataclass
class Theirs:
    """Another program: its database, and its tables as it declares them."""

    engine: Engine
    url: str
    users: Table
    posts: Table

    def add(self, email: str, hashed: str, **more: Any) -> Any:
        values = {"email": email, "hashed_password": hashed, "is_active": True} | more
        if isinstance(self.users.c.id.type, String):
            values["id"] = f"user-{uuid.uuid4().hex}"
        with self.engine.begin() as connection:
            key = connection.execute(insert(self.users).values(values)).inserted_primary_key[0]
            connection.execute(insert(self.posts).values(author=key))
            return key

    def row(self, email: str) -> Any:
        columns = text(
            f"SELECT *, (SELECT count(*) FROM posts WHERE author = u.id) AS posts FROM {self.users.fullname} u WHERE lower(email) = :e"
        )
        with self.engine.connect() as connection:
            return connection.execute(columns, {"e": email.lower()}).one_or_none()


def tables(kind: str) -> tuple[Table, Table]:
    metadata = MetaData()
    id_type = {"uuid": Uuid, "integer": Integer, "text": String(64)}[kind]
    default = {"default": uuid.uuid4} if kind == "uuid" else {}
    users = Table(
        "app_users",
        metadata,
        Column("id", id_type, primary_key=True, **default),
        Column("email", String(320), unique=True, index=True, nullable=False),
        Column("hashed_password", String(1024), nullable=False),
        Column("full_name", String(200)),
        # As SQLAlchemy has it, these defaults are Python's: the database knows none.
        Column("is_active", Boolean, default=True, nullable=False),
        Column("is_superuser", Boolean, default=False, nullable=False),
        Column("created_at", DateTime, server_default=func.now()),
    )
    posts = Table(
        "posts",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("author", id_type, ForeignKey("app_users.id", ondelete="CASCADE"), nullable=False),
    )
    return users, posts


@pytest.fixture(params=["uuid", "integer", "text"])
def theirs(request: pytest.FixtureRequest) -> Iterator[Theirs]:
    admin = os.environ.get("TEST_DATABASE_URL")
    assert admin, "TEST_DATABASE_URL has to name an administrator's PostgreSQL: scripts/postgres start prints one"
    name = f"adoption_{uuid.uuid4().hex}"
    place = create_engine(admin.replace("postgres://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with place.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
    url = f"{admin.rsplit('/', 1)[0]}/{name}"
    engine = create_engine(url.replace("postgres://", "postgresql+psycopg://"))
    users, posts = tables(request.param)
    users.metadata.create_all(engine)
    yield Theirs(engine, url, users, posts)
    engine.dispose()
    with place.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    place.dispose()


def adopt(url: str, *arguments: str) -> str:
    environment = {"DATABASE_URL": url, "BETTER_AUTH_URL": "https://book.example.test", "PATH": os.environ["PATH"]}
    environment["BETTER_AUTH_SECRET"] = "only-for-tests-0123456789abcdefghijklmnop"
    done = subprocess.run([program(), "adopt", *arguments], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def sign_in(sidecar: Sidecar, email: str, password: str) -> Answer:
    return call("POST", f"{sidecar.url}/auth/login", body={"email": email, "password": password})


@pytest.mark.parametrize("scheme", HASHES)
def test_both_programs_work_on_one_table(theirs: Theirs, scheme: str) -> None:
    key = theirs.add("Ada@Example.com", CONTEXT.hash(PASSWORD, scheme=scheme), full_name="Ada")
    assert "2 rows" not in (plan := adopt(theirs.url)) and "1 rows" in plan
    adopt(theirs.url, "--table", "public.app_users", "--apply", "--yes")
    with Sidecar(theirs.url) as sidecar:
        # The old password, in another spelling of the address.
        answer = sign_in(sidecar, "ada@example.COM", PASSWORD)
        assert (answer.status, answer.json["user"]["id"], answer.json["user"]["name"]) == (200, str(key), "Ada")
        assert sign_in(sidecar, "ada@example.com", PASSWORD + "x").status == 401

        # The fields are columns of their table.
        body = {"software_background": "advanced", "hardware_background": "FPGA", "name": "Ada Lovelace"}
        session = answer.json["token"]
        assert call("PUT", f"{sidecar.url}/auth/profile", token=session, body=body).status == 200
        row = theirs.row("ada@example.com")
        assert (row.software_background, row.hardware_background, row.full_name) == ("advanced", "FPGA", "Ada Lovelace")
        assert (row.email, row.posts) == ("Ada@Example.com", 1)
        # Whatever the service made of the hash, passlib still verifies it.
        assert CONTEXT.verify(PASSWORD, row.hashed_password)

        # A password that their program sets counts here, and the other way round.
        changed = CONTEXT.hash("their-new-password", scheme=scheme)
        with theirs.engine.begin() as connection:
            connection.execute(update(theirs.users).values(hashed_password=changed))
        assert sign_in(sidecar, "ada@example.com", "their-new-password").status == 200
        assert sign_in(sidecar, "ada@example.com", PASSWORD).status == 401
        body = {"currentPassword": "their-new-password", "newPassword": "our-new-password"}
        change = call("POST", f"{sidecar.url}/api/auth/change-password", token=session, body=body)
        assert change.status == 200, change
        assert CONTEXT.verify("our-new-password", theirs.row("ada@example.com").hashed_password)

        # Users of either side are users of the other.
        bob = sidecar.sign_up(software_background="beginner")
        row = theirs.row(bob.email)
        assert (str(row.id), row.is_active, row.is_superuser) == (bob.id, True, False)
        assert CONTEXT.verify(PASSWORD, row.hashed_password)
        theirs.add("eve@example.com", CONTEXT.hash(PASSWORD, scheme=scheme))
        assert sign_in(sidecar, "eve@example.com", PASSWORD).status == 200

        # Who is switched off there is signed out here at once.
        assert sidecar.me(session).status == 200
        with theirs.engine.begin() as connection:
            connection.execute(update(theirs.users).where(theirs.users.c.email == "Ada@Example.com").values(is_active=False))
        assert sidecar.me(session).status == 401
        assert sign_in(sidecar, "ada@example.com", "our-new-password").status == 401
    adopt(theirs.url, "--revert", "--yes")
    with theirs.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(theirs.users)).scalar() == 3


@pytest.mark.parametrize("scheme", ["bcrypt_sha256", "argon2"])
def test_a_long_password_is_not_cut(theirs: Theirs, scheme: str) -> None:
    theirs.add("ada@example.com", CONTEXT.hash(LONG, scheme=scheme))
    adopt(theirs.url, "--apply", "--yes")
    with Sidecar(theirs.url) as sidecar:
        assert sign_in(sidecar, "ada@example.com", LONG[:-1] + "x").status == 401
        assert sign_in(sidecar, "ada@example.com", LONG).status == 200


def test_a_long_password_keeps_the_rule_its_bcrypt_was_made_under(theirs: Theirs) -> None:
    theirs.add("ada@example.com", CONTEXT.hash(LONG, scheme="bcrypt"))
    adopt(theirs.url, "--apply", "--yes")
    with Sidecar(theirs.url) as sidecar:
        assert sign_in(sidecar, "ada@example.com", LONG).status == 200
