# Printed by `auth-sidecar types --pydantic`; do not edit.

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class UserClaims(BaseModel):
    """What a token of auth-sidecar says about a user."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    sub: str
    iss: str
    aud: str
    iat: int
    exp: int
    id: str
    name: str
    email: str
    email_verified: bool = Field(alias="emailVerified")
    image: str | None = None
    created_at: datetime = Field(alias="createdAt")
    updated_at: datetime = Field(alias="updatedAt")
    software_background: Literal["beginner", "intermediate", "advanced"] | None = None
    hardware_background: str | None = None
