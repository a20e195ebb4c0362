"""An application of FastAPI Users, with the routers, the tables and the password helper that it has by itself: its table
`user` is adopted while it runs, and both programs go on at once."""

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pytest
from databases import DATABASES, Database, adopt, database
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from fastapi_users import BaseUserManager, FastAPIUsers, IntegerIDMixin, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, JWTStrategy
from fastapi_users.db import (
    SQLAlchemyBaseOAuthAccountTable,
    SQLAlchemyBaseOAuthAccountTableUUID,
    SQLAlchemyBaseUserTable,
    SQLAlchemyBaseUserTableUUID,
    SQLAlchemyUserDatabase,
)
from fastapi_users.password import PasswordHelper
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher
from sidecar import PASSWORD, Answer, Sidecar, call
from sqlalchemy import Engine, ForeignKey, Integer, create_engine, func, inspect, select, table, text, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

SECRET = "only-for-tests-0123456789abcdefghijklmnop"
# By the name of the driver; the synchronous one is for looking at rows.
ASYNC_DRIVERS = {"postgresql": "postgresql+psycopg", "sqlite": "sqlite+aiosqlite"}
DRIVERS = {"postgresql": "postgresql+psycopg", "sqlite": "sqlite"}


def tables(ids: str) -> tuple[Any, Any]:
    """The classes of users and of their accounts elsewhere, as the documentation of FastAPI Users has them."""

    class Base(DeclarativeBase):
        pass

    if ids == "uuid":

        class OAuthAccount(SQLAlchemyBaseOAuthAccountTableUUID, Base):
            pass

        class User(SQLAlchemyBaseUserTableUUID, Base):
            oauth_accounts: Mapped[list[OAuthAccount]] = relationship(lazy="joined", cascade="all, delete-orphan")

        return User, OAuthAccount

    class NumberedOAuthAccount(SQLAlchemyBaseOAuthAccountTable[int], Base):
        id: Mapped[int] = mapped_column(Integer, primary_key=True)
        user_id: Mapped[int] = mapped_column(Integer, ForeignKey("user.id", ondelete="cascade"), nullable=False)

    class NumberedUser(SQLAlchemyBaseUserTable[int], Base):
        id: Mapped[int] = mapped_column(Integer, primary_key=True)
        oauth_accounts: Mapped[list[NumberedOAuthAccount]] = relationship(lazy="joined", cascade="all, delete-orphan")

    return NumberedUser, NumberedOAuthAccount


def application(url: str, user: Any, oauth: Any, ids: str, helper: PasswordHelper, mail: dict[str, str]) -> FastAPI:
    engine = create_async_engine(url)
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    key = uuid.UUID if ids == "uuid" else int
    mixin = UUIDIDMixin if ids == "uuid" else IntegerIDMixin

    class Manager(mixin, BaseUserManager[user, key]):
        reset_password_token_secret = SECRET
        verification_token_secret = SECRET

        async def on_after_forgot_password(self, user: Any, token: str, request: Any = None) -> None:
            mail[user.email] = token

        async def on_after_request_verify(self, user: Any, token: str, request: Any = None) -> None:
            mail[user.email] = token

    async def session() -> AsyncIterator[AsyncSession]:
        async with sessions() as opened:
            yield opened

    async def manager(opened: Annotated[AsyncSession, Depends(session)]) -> AsyncIterator[Manager]:
        yield Manager(SQLAlchemyUserDatabase(opened, user, oauth), helper)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await engine.dispose()

    strategy = JWTStrategy(secret=SECRET, lifetime_seconds=3600)
    backend = AuthenticationBackend("jwt", BearerTransport(tokenUrl="auth/jwt/login"), lambda: strategy)
    users = FastAPIUsers[user, key](manager, [backend])
    read, create, change = schemas.BaseUser[key], schemas.BaseUserCreate, schemas.BaseUserUpdate
    app = FastAPI(lifespan=lifespan)
    app.include_router(users.get_auth_router(backend), prefix="/auth/jwt")
    app.include_router(users.get_register_router(read, create), prefix="/auth")
    app.include_router(users.get_verify_router(read), prefix="/auth")
    app.include_router(users.get_reset_password_router(), prefix="/auth")
    app.include_router(users.get_users_router(read, change), prefix="/users")
    return app


@dataclass
class Theirs:
    """The application, and a look at its tables."""

    ids: str
    database: Database
    engine: Engine
    user: Any
    oauth: Any
    client: TestClient
    mail: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.database.url

    def key(self, written: str) -> Any:
        return uuid.UUID(written) if self.ids == "uuid" else int(written)

    def register(self, email: str, password: str = PASSWORD) -> str:
        """Their id, as the application writes it."""
        answer = self.client.post("/auth/register", json={"email": email, "password": password})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def login(self, email: str, password: str) -> str | None:
        """A token, or None where the application says that these are no credentials."""
        answer = self.client.post("/auth/jwt/login", data={"username": email, "password": password})
        if answer.status_code == 400 and answer.json() == {"detail": "LOGIN_BAD_CREDENTIALS"}:
            return None
        assert answer.status_code == 200, answer.text
        return answer.json()["access_token"]

    def me(self, token: str) -> Any:
        answer = self.client.get("/users/me", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def change(self, token: str, path: str = "/users/me", **values: Any) -> Any:
        answer = self.client.patch(path, headers={"Authorization": f"Bearer {token}"}, json=values)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def superuser(self) -> str:
        """The token of one."""
        self.register("root@example.com")
        users = self.user.__table__
        with self.engine.begin() as connection:
            connection.execute(update(users).where(users.c.email == "root@example.com").values(is_superuser=True))
        token = self.login("root@example.com", PASSWORD)
        assert token
        return token

    def row(self, email: str) -> Any:
        """With the columns that the application does not know."""
        with self.engine.connect() as connection:
            return connection.execute(text('SELECT * FROM "user" WHERE email = :e'), {"e": email}).one_or_none()

    def count(self, of: Any) -> int:
        with self.engine.connect() as connection:
            return connection.execute(select(func.count()).select_from(of)).scalar_one()


# The application's own is slow on purpose, so the others do the same with less work: argon2id for new hashes, and bcrypt
# is known; or the other way round, as those set it who began with passlib.
FAST_ARGON2 = Argon2Hasher(time_cost=1, memory_cost=1024, parallelism=1)
FAST_BCRYPT = BcryptHasher(rounds=4)
HELPERS = {
    "its own": PasswordHelper(),
    "argon2id": PasswordHelper(PasswordHash((FAST_ARGON2, FAST_BCRYPT))),
    "bcrypt": PasswordHelper(PasswordHash((FAST_BCRYPT, FAST_ARGON2))),
}


@contextmanager
def started(kind: str, ids: str, folder: Path, helper: str) -> Iterator[Theirs]:
    with database(kind, folder) as its:
        user, oauth = tables(ids)
        engine = create_engine(its.engine_url(DRIVERS[kind]))
        user.metadata.create_all(engine)
        theirs = Theirs(ids, its, engine, user, oauth, None)  # type: ignore[arg-type]
        app = application(its.engine_url(ASYNC_DRIVERS[kind]), user, oauth, ids, HELPERS[helper], theirs.mail)
        with TestClient(app) as theirs.client:
            yield theirs
        engine.dispose()


@pytest.fixture(params=DATABASES)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["uuid", "integer"])
def theirs(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> Iterator[Theirs]:
    with started(kind, request.param, tmp_path, "argon2id") as theirs:
        yield theirs


def sign_in(sidecar: Sidecar, email: str, password: str = PASSWORD) -> Answer:
    return call("POST", f"{sidecar.url}/auth/login", body={"email": email, "password": password})


def session_of(sidecar: Sidecar, email: str, password: str = PASSWORD) -> str:
    answer = sign_in(sidecar, email, password)
    assert answer.status == 200, answer
    return answer.json["token"]


@pytest.mark.parametrize("scheme", ["bcrypt", "argon2id"])
def test_a_password_holds_on_both_sides(theirs: Theirs, scheme: str) -> None:
    ada = theirs.register("ada@example.com")
    assert theirs.login("ada@example.com", PASSWORD)
    assert "1 rows" in adopt(theirs.url)
    adopt(theirs.url, "--table", theirs.database.named("user"), "--apply", "--yes")
    with Sidecar(theirs.url, AUTH_PASSWORD_HASH=scheme) as sidecar:
        # The old one. Either side makes a new hash of it as it likes, and the other one verifies that.
        for _ in range(2):
            answer = sign_in(sidecar, "ada@example.com")
            assert (answer.status, theirs.key(answer.json["user"]["id"])) == (200, theirs.key(ada))
            assert sign_in(sidecar, "ada@example.com", PASSWORD + "x").status == 401
            token = theirs.login("ada@example.com", PASSWORD)
            assert token and str(theirs.me(token)["id"]) == ada
            assert not theirs.login("ada@example.com", PASSWORD + "x")

        # Whoever signs up here is a user there.
        bob = sidecar.sign_up()
        token = theirs.login(bob.email, PASSWORD)
        assert token and not theirs.login(bob.email, PASSWORD + "x")
        known = theirs.me(token)
        assert theirs.key(str(known["id"])) == theirs.key(bob.id)
        assert (known["is_active"], known["is_superuser"], known["is_verified"]) == (True, False, False)

        # A new password here.
        body = {"currentPassword": PASSWORD, "newPassword": "set-by-the-service"}
        change = call("POST", f"{sidecar.url}/api/auth/change-password", token=bob.session, body=body)
        assert change.status == 200, change
        assert theirs.login(bob.email, "set-by-the-service") and not theirs.login(bob.email, PASSWORD)

        # And there: by whoever knows the old one, and by a mailed token.
        theirs.change(token, password="set-by-the-application")
        assert sign_in(sidecar, bob.email, "set-by-the-application").status == 200
        assert sign_in(sidecar, bob.email, "set-by-the-service").status == 401
        assert theirs.client.post("/auth/forgot-password", json={"email": bob.email}).status_code == 202
        body = {"token": theirs.mail[bob.email], "password": "set-by-a-mailed-token"}
        assert theirs.client.post("/auth/reset-password", json=body).status_code == 200
        assert sign_in(sidecar, bob.email, "set-by-a-mailed-token").status == 200
        assert sign_in(sidecar, bob.email, "set-by-the-application").status == 401

        # Whoever registers there from now on is a user here.
        eve = theirs.register("eve@example.com")
        answer = sign_in(sidecar, "eve@example.com")
        assert (answer.status, theirs.key(answer.json["user"]["id"])) == (200, theirs.key(eve))
        assert theirs.login("eve@example.com", PASSWORD)


@pytest.mark.parametrize("helper", ["its own", "bcrypt"])
def test_either_side_makes_its_own_hash_of_a_password_that_holds(kind: str, helper: str, tmp_path: Path) -> None:
    with started(kind, "uuid", tmp_path, helper) as theirs:
        theirs.register("ada@example.com")
        adopt(theirs.url, "--apply", "--yes")
        with Sidecar(theirs.url) as sidecar:
            assert sign_in(sidecar, "ada@example.com").status == 200
            assert theirs.login("ada@example.com", PASSWORD)
            assert sign_in(sidecar, "ada@example.com").status == 200
            bob = sidecar.sign_up()
            assert theirs.login(bob.email, PASSWORD)
            assert not theirs.login(bob.email, PASSWORD + "x")
            assert sign_in(sidecar, bob.email).status == 200


# What bcrypt would cut, and what Unicode writes in two ways: the application takes the bytes as they come.
UNUSUAL = {"long": "correct horse battery staple, " * 3, "not NFKC": "pa\u0308sswo\u0308rd-\ufb01sh"}


@pytest.mark.parametrize("scheme", ["bcrypt", "argon2id"])
@pytest.mark.parametrize("password", UNUSUAL.values(), ids=UNUSUAL)
def test_an_unusual_password_holds_on_both_sides(kind: str, password: str, scheme: str, tmp_path: Path) -> None:
    with started(kind, "uuid", tmp_path, "argon2id") as theirs:
        theirs.register("ada@example.com", password)
        adopt(theirs.url, "--apply", "--yes")
        with Sidecar(theirs.url, AUTH_PASSWORD_HASH=scheme) as sidecar:
            assert sign_in(sidecar, "ada@example.com", password[:-1]).status == 401
            assert sign_in(sidecar, "ada@example.com", password).status == 200
            assert theirs.login("ada@example.com", password)
            assert sign_in(sidecar, "ada@example.com", password).status == 200


@pytest.mark.parametrize("scheme", ["bcrypt", "argon2id"])
@pytest.mark.parametrize("password", UNUSUAL.values(), ids=UNUSUAL)
def test_an_unusual_password_of_a_new_user_holds_on_both_sides(kind: str, password: str, scheme: str, tmp_path: Path) -> None:
    with started(kind, "uuid", tmp_path, "argon2id") as theirs:
        adopt(theirs.url, "--apply", "--yes")
        with Sidecar(theirs.url, AUTH_PASSWORD_HASH=scheme) as sidecar:
            bob = sidecar.sign_up(password=password)
            # Of bcrypt's hashes the application knows none that does not cut a password.
            if scheme != "bcrypt" or len(password) < 72:
                assert theirs.login(bob.email, password)
            assert sign_in(sidecar, bob.email, password).status == 200


def test_whoever_has_no_password_is_refused_on_both_sides(theirs: Theirs) -> None:
    theirs.register("ada@example.com")
    adopt(theirs.url, "--apply", "--yes")
    with Sidecar(theirs.url) as sidecar:
        sidecar.run("users", "create", "--email", "bob@example.com")
        for wrong in [PASSWORD, "!", ""]:
            assert sign_in(sidecar, "bob@example.com", wrong).status == 401
        assert not theirs.login("bob@example.com", PASSWORD)
        assert not theirs.login("bob@example.com", "!")
        # It can be set there.
        assert theirs.client.post("/auth/forgot-password", json={"email": "bob@example.com"}).status_code == 202
        body = {"token": theirs.mail["bob@example.com"], "password": "set-by-a-mailed-token"}
        assert theirs.client.post("/auth/reset-password", json=body).status_code == 200
        assert theirs.login("bob@example.com", "set-by-a-mailed-token")
        assert sign_in(sidecar, "bob@example.com", "set-by-a-mailed-token").status == 200


def test_fields_are_columns_of_the_table(theirs: Theirs) -> None:
    theirs.register("ada@example.com")
    adopt(theirs.url, "--apply", "--yes")
    with Sidecar(theirs.url) as sidecar:
        session = session_of(sidecar, "ada@example.com")
        body = {"software_background": "advanced", "hardware_background": "FPGA"}
        assert call("PUT", f"{sidecar.url}/auth/profile", token=session, body=body).status == 200
        bob = sidecar.sign_up(**body)
        for email in ["ada@example.com", bob.email]:
            row = theirs.row(email)
            assert (row.software_background, row.hardware_background) == ("advanced", "FPGA")
        # What the application writes does not touch them.
        token = theirs.login("ada@example.com", PASSWORD)
        assert token
        theirs.change(token, password="set-by-the-application")
        me = sidecar.me(session).json["user"]
        assert (me["software_background"], me["hardware_background"]) == ("advanced", "FPGA")


def test_whoever_is_deactivated_is_nobody_here(theirs: Theirs) -> None:
    root, ada = theirs.superuser(), theirs.register("ada@example.com")
    adopt(theirs.url, "--apply", "--yes")
    with Sidecar(theirs.url) as sidecar:
        session = session_of(sidecar, "ada@example.com")
        assert sidecar.me(session).status == 200
        assert theirs.change(root, f"/users/{ada}", is_active=False)["is_active"] is False
        assert sidecar.me(session).status == 401
        assert call("GET", f"{sidecar.url}/auth/token", token=session).status == 401
        assert sign_in(sidecar, "ada@example.com").status == 403
        # Nor does the address become free.
        body = {"name": "Ada", "email": "ada@example.com", "password": "another-password"}
        taken = call("POST", f"{sidecar.url}/auth/register", body=body)
        assert 400 <= taken.status < 500, taken
        assert not theirs.login("ada@example.com", PASSWORD)
        theirs.change(root, f"/users/{ada}", is_active=True)
        assert sign_in(sidecar, "ada@example.com").status == 200
        assert sign_in(sidecar, "ada@example.com", "another-password").status == 401
        assert theirs.login("ada@example.com", PASSWORD)


def test_a_session_that_ended_by_deactivation_stays_ended(theirs: Theirs) -> None:
    root, ada = theirs.superuser(), theirs.register("ada@example.com")
    adopt(theirs.url, "--apply", "--yes")
    with Sidecar(theirs.url) as sidecar:
        session = session_of(sidecar, "ada@example.com")
        theirs.change(root, f"/users/{ada}", is_active=False)
        theirs.change(root, f"/users/{ada}", is_active=True)
        assert sidecar.me(session).status == 401
        assert sidecar.me(session_of(sidecar, "ada@example.com")).status == 200


def test_a_proven_address_is_proven_on_both_sides(theirs: Theirs) -> None:
    theirs.register("ada@example.com")
    adopt(theirs.url, "--apply", "--yes")
    with Sidecar(theirs.url) as sidecar:
        session = session_of(sidecar, "ada@example.com")
        assert proven(sidecar, session) is False
        assert theirs.client.post("/auth/request-verify-token", json={"email": "ada@example.com"}).status_code == 202
        answer = theirs.client.post("/auth/verify", json={"token": theirs.mail["ada@example.com"]})
        assert answer.status_code == 200, answer.text
        assert proven(sidecar, session) is True

        bob = sidecar.sign_up()
        token = theirs.login(bob.email, PASSWORD)
        assert token and theirs.me(token)["is_verified"] is False
        sidecar.run("users", "verify", bob.email)
        assert theirs.me(token)["is_verified"] is True
        # A new address is not proven.
        assert theirs.change(token, email="Robert@example.com")["is_verified"] is False
        assert proven(sidecar, bob.session) is False
        assert sign_in(sidecar, "robert@example.com").status == 200
        assert sign_in(sidecar, bob.email).status == 401


def proven(sidecar: Sidecar, session: str) -> bool:
    answer = call("GET", f"{sidecar.url}/api/auth/get-session", token=session)
    assert answer.status == 200, answer
    return answer.json["user"]["emailVerified"]


def test_deletion_there_is_deletion_here(theirs: Theirs) -> None:
    root, ada = theirs.superuser(), theirs.register("ada@example.com")
    adopt(theirs.url, "--apply", "--yes")
    with Sidecar(theirs.url) as sidecar:
        session = session_of(sidecar, "ada@example.com")
        answer = theirs.client.delete(f"/users/{ada}", headers={"Authorization": f"Bearer {root}"})
        assert answer.status_code == 204, answer.text
        assert sidecar.me(session).status == 401
        assert sign_in(sidecar, "ada@example.com").status == 401
        # What is left is root's: one account, with the password, and no session.
        assert (theirs.count(ours(theirs, "accounts")), theirs.count(ours(theirs, "sessions"))) == (1, 0)
        # The address is free again, and the old session is nobody's.
        assert theirs.register("ada@example.com") != ada or theirs.ids == "integer"
        assert sign_in(sidecar, "ada@example.com").status == 200
        assert sidecar.me(session).status == 401


def ours(theirs: Theirs, name: str) -> Any:
    """A table of the service."""
    return table(name, schema="auth_sidecar" if theirs.database.kind == "postgresql" else None)


def test_deletion_here_is_deletion_there(theirs: Theirs) -> None:
    key = theirs.key(theirs.register("ada@example.com"))
    account = {"oauth_name": "google", "access_token": "x", "account_id": "1", "account_email": "ada@example.com", "user_id": key}
    if theirs.ids == "uuid":
        account["id"] = uuid.uuid4()
    with theirs.engine.begin() as connection:
        connection.execute(theirs.oauth.__table__.insert().values(account))
    adopt(theirs.url, "--apply", "--yes")
    with Sidecar(theirs.url) as sidecar:
        token = theirs.login("ada@example.com", PASSWORD)
        session = session_of(sidecar, "ada@example.com")
        answer = call("POST", f"{sidecar.url}/api/auth/delete-user", token=session, body={"password": PASSWORD})
        assert answer.status == 200, answer
        assert not theirs.login("ada@example.com", PASSWORD)
        assert theirs.client.get("/users/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401
        assert (theirs.count(theirs.user.__table__), theirs.count(theirs.oauth.__table__)) == (0, 0)


def test_the_application_goes_on_after_a_revert(theirs: Theirs) -> None:
    before = shape(theirs)
    ada = theirs.register("ada@example.com")
    adopt(theirs.url, "--apply", "--yes")
    with Sidecar(theirs.url) as sidecar:
        assert sign_in(sidecar, "ada@example.com").status == 200
        bob = sidecar.sign_up(software_background="beginner")
    adopt(theirs.url, "--revert", "--yes")
    assert shape(theirs) == before
    for email, key in [("ada@example.com", ada), (bob.email, bob.id)]:
        token = theirs.login(email, PASSWORD)
        assert token and theirs.key(str(theirs.me(token)["id"])) == theirs.key(key)
        theirs.change(token, password="set-afterwards")
        assert theirs.login(email, "set-afterwards")
    theirs.register("eve@example.com")
    assert theirs.login("eve@example.com", PASSWORD)


def shape(theirs: Theirs) -> Any:
    """What the database says of the table."""
    found = inspect(theirs.engine)
    columns = [(column["name"], str(column["type"]), column["nullable"]) for column in found.get_columns("user")]
    indexes = sorted((index["name"], tuple(index["column_names"]), index["unique"]) for index in found.get_indexes("user"))
    return columns, indexes
