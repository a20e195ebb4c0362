"""Chapters that fit their reader, and how far each reader has got."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError, OperationalError

from .auth import CurrentUser, OptionalUser, unauthorized
from .chapters import CHAPTERS, Chapter, chapter_for
from .claims import UserClaims
from .database import Database, ReadingProgress, create_tables


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    await run_in_threadpool(create_tables)
    yield


app = FastAPI(
    title="Backend of the example book", lifespan=lifespan, docs_url="/api/docs", openapi_url="/api/openapi.json"
)
app.add_middleware(
    CORSMiddleware,
    allow_origins=[origin.strip() for origin in os.environ.get("CORS_ORIGINS", "").split(",") if origin.strip()],
    # Users are known by their token alone, so no cookie has to cross origins.
    allow_credentials=False,
    allow_methods=["GET", "PUT"],
    allow_headers=["Authorization", "Content-Type"],
)
router = APIRouter(prefix="/api")


@app.exception_handler(OperationalError)
def database_is_away(_: Request, __: OperationalError) -> JSONResponse:
    return JSONResponse({"detail": "the database does not answer"}, 503, {"Retry-After": "5"})


class Percent(BaseModel):
    percent: int = Field(ge=0, le=100)


class Progress(Percent):
    model_config = ConfigDict(from_attributes=True)

    slug: str
    updated_at: datetime | None


def known_slug(slug: str) -> str:
    if slug not in CHAPTERS:
        raise HTTPException(404, "there is no such chapter")
    return slug


Slug = Annotated[str, Depends(known_slug)]


@router.get("/health")
def health(database: Database) -> dict[str, str]:
    database.execute(select(1))
    return {"status": "ok"}


@router.get("/me")
def me(user: CurrentUser) -> UserClaims:
    return user


@router.get("/chapters/{slug}")
def get_chapter(slug: Slug, user: OptionalUser, response: Response) -> Chapter:
    # A shared cache must not hand one reader's text to another.
    response.headers["Cache-Control"] = "private, no-store"
    return chapter_for(slug, user)


@router.get("/progress/{slug}")
def get_progress(slug: Slug, user: CurrentUser, database: Database) -> Progress:
    row = database.get(ReadingProgress, (user.sub, slug))
    return Progress.model_validate(row) if row else Progress(slug=slug, percent=0, updated_at=None)


@router.put("/progress/{slug}")
def put_progress(slug: Slug, body: Percent, user: CurrentUser, database: Database) -> Progress:
    new = {"percent": body.percent, "updated_at": datetime.now(UTC)}
    statement = (
        insert(ReadingProgress)
        .values(user_id=user.sub, slug=slug, **new)
        .on_conflict_do_update(index_elements=["user_id", "slug"], set_=new)
        .returning(ReadingProgress)
    )
    try:
        progress = Progress.model_validate(database.scalars(statement).one())
        database.commit()
    except IntegrityError as error:
        # The token outlives the user by some minutes; the foreign key does not.
        raise unauthorized("this user no longer exists") from error
    return progress


app.include_router(router)
