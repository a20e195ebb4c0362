"""This application's own table, beside the sidecar's in one PostgreSQL."""

import logging
import os
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from fastapi import Depends
from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKey, Table, Text, create_engine, func, inspect, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

log = logging.getLogger("uvicorn.error")

WAIT = 60  # seconds for the database and the sidecar's tables at the start
LOCK = 7_315_201_944  # any number that no other program locks in this database


def database_url() -> URL:
    """DATABASE_URL as the sidecar and the hosters of PostgreSQL write it, for SQLAlchemy with psycopg."""
    text = os.environ.get("DATABASE_URL", "").strip()
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.split("+")[0] not in ("postgres", "postgresql"):
        raise RuntimeError("DATABASE_URL must be set and begin with postgres:// or postgresql://")
    return make_url(f"postgresql+psycopg://{rest}")


engine = create_engine(
    database_url(),
    pool_pre_ping=True,  # hosted databases go to sleep and close connections
    # No prepared statements: poolers such as PgBouncer mix the connections they belong to.
    connect_args={"connect_timeout": 5, "prepare_threshold": None},
)


class Base(DeclarativeBase):
    pass


# The sidecar's table, only as far as the foreign key needs it: it is never created or written from here.
users = Table("users", Base.metadata, Column("id", Text, primary_key=True))


class ReadingProgress(Base):
    __tablename__ = "reading_progress"
    __table_args__ = (CheckConstraint("percent BETWEEN 0 AND 100", name="reading_progress_percent"),)

    user_id: Mapped[str] = mapped_column(Text, ForeignKey(users.c.id, ondelete="CASCADE"), primary_key=True)
    slug: Mapped[str] = mapped_column(Text, primary_key=True)
    percent: Mapped[int]
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


def create_tables() -> None:
    """Creates what is absent, once the sidecar has made `users`; raises if that takes too long."""
    deadline = time.monotonic() + WAIT
    shown = None
    while True:
        try:
            with engine.begin() as connection:
                # Several replicas may start at once.
                connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
                if inspect(connection).has_table(users.name):
                    Base.metadata.create_all(connection, tables=[Base.metadata.tables[ReadingProgress.__tablename__]])
                    return
            problem = "there is no table users yet: auth-sidecar has not migrated this database"
        except OperationalError as error:
            problem = str(error.orig).strip()
        if time.monotonic() > deadline:
            raise RuntimeError(f"the database is not ready: {problem}")
        if problem != shown:
            log.warning("waiting for the database: %s", problem)
            shown = problem
        time.sleep(0.5)


def session() -> Iterator[Session]:
    with Session(engine) as opened:
        yield opened


Database = Annotated[Session, Depends(session)]
