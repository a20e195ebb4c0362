"""Tables of users made by SQLAlchemy with hashes made by passlib (with the last bcrypt it works with), as FastAPI applications keep them:
adopted, then used by both programs at once."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from databases import DATABASES, Database, adopt, database
from passlib.context import CryptContext
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sidecar import PASSWORD, Answer, Sidecar, call
from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Uuid,
    column,
    create_engine,
    func,
    insert,
    select,
    update,
)

# What the service makes by default, bcrypt, is among them: so passlib verifies its hashes too. The costs are low to be quick.
HASHES = ["bcrypt", "bcrypt_sha256", "argon2"]
CONTEXT = CryptContext(
    HASHES,
    bcrypt__default_rounds=4,
    bcrypt_sha256__default_rounds=4,
    argon2__time_cost=1,
    argon2__memory_cost=1024,
    argon2__parallelism=1,
)
# A password beyond the 72 bytes that bcrypt looks at, which only the other two tell from its beginning.
LONG = "correct horse battery staple, " * 3


@dataclass
class Theirs:
    """Another program: its database, and its tables as it declares them."""

    engine: Engine
    database: Database
    users: Table
    posts: Table

    @property
    def url(self) -> str:
        return self.database.url

    def key(self, written: str) -> Any:
        """An id, as this program has it, of its text. SQLite has no UUIDs: SQLAlchemy keeps their 32 digits."""
        kind = self.users.c.id.type
        return uuid.UUID(written) if isinstance(kind, Uuid) else int(written) if isinstance(kind, Integer) else written

    def add(self, email: str, hashed: str, **more: Any) -> Any:
        values = {"email": email, "hashed_password": hashed, "is_active": True} | more
        if isinstance(self.users.c.id.type, String):
            values["id"] = f"user-{uuid.uuid4().hex}"
        with self.engine.begin() as connection:
            key = connection.execute(insert(self.users).values(values)).inserted_primary_key[0]
            connection.execute(insert(self.posts).values(author=key))
            return key

    def row(self, email: str) -> Any:
        """With the fields of the service, which are columns since the adoption."""
        posts = select(func.count()).select_from(self.posts).where(self.posts.c.author == self.users.c.id).scalar_subquery()
        columns = select(self.users, column("software_background"), column("hardware_background"), posts.label("posts"))
        with self.engine.connect() as connection:
            return connection.execute(columns.where(func.lower(self.users.c.email) == email.lower())).one_or_none()


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


@pytest.fixture(params=DATABASES)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["uuid", "integer", "text"])
def theirs(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> Iterator[Theirs]:
    with database(kind, tmp_path) as its:
        engine = create_engine(its.engine_url("postgresql+psycopg" if kind == "postgresql" else "sqlite"))
        users, posts = tables(request.param)
        users.metadata.create_all(engine)
        yield Theirs(engine, its, users, posts)
        engine.dispose()


def sign_in(sidecar: Sidecar, email: str, password: str) -> Answer:
    return call("POST", f"{sidecar.url}/auth/login", body={"email": email, "password": password})


@pytest.mark.parametrize("scheme", HASHES)
def test_both_programs_work_on_one_table(theirs: Theirs, scheme: str) -> None:
    key = theirs.add("Ada@Example.com", CONTEXT.hash(PASSWORD, scheme=scheme), full_name="Ada")
    assert "2 rows" not in (plan := adopt(theirs.url)) and "1 rows" in plan
    adopt(theirs.url, "--table", theirs.database.named("app_users"), "--apply", "--yes")
    with Sidecar(theirs.url) as sidecar:
        # The old password, in another spelling of the address.
        answer = sign_in(sidecar, "ada@example.COM", PASSWORD)
        assert (answer.status, answer.json["user"]["name"]) == (200, "Ada")
        assert theirs.key(answer.json["user"]["id"]) == key
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
        assert (row.id, row.is_active, row.is_superuser) == (theirs.key(bob.id), True, False)
        assert CONTEXT.verify(PASSWORD, row.hashed_password)
        theirs.add("eve@example.com", CONTEXT.hash(PASSWORD, scheme=scheme))
        assert sign_in(sidecar, "eve@example.com", PASSWORD).status == 200

        # Who is switched off there is signed out here at once.
        assert sidecar.me(session).status == 200
        with theirs.engine.begin() as connection:
            connection.execute(update(theirs.users).where(theirs.users.c.email == "Ada@Example.com").values(is_active=False))
        assert sidecar.me(session).status == 401
        assert sign_in(sidecar, "ada@example.com", "our-new-password").status == 403
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


def test_a_program_that_knows_argon2id_alone_still_knows_its_users(theirs: Theirs) -> None:
    """As in FastAPI's tutorial: what pwdlib recommends is argon2id, and every other kind of hash is an error to it."""
    known = PasswordHash([Argon2Hasher(time_cost=1, memory_cost=1024, parallelism=1)])
    theirs.add("ada@example.com", known.hash(PASSWORD))
    adopt(theirs.url, "--apply", "--yes")
    with Sidecar(theirs.url) as sidecar:
        assert sign_in(sidecar, "ada@example.com", PASSWORD).status == 200
        assert known.verify(PASSWORD, theirs.row("ada@example.com").hashed_password)
        bob = sidecar.sign_up()
        assert known.verify(PASSWORD, theirs.row(bob.email).hashed_password)
