"""What a reader sees."""

import psycopg
from conftest import HERE, LEVELS, SITE
from sidecar import PASSWORD, PUBLIC_URL, Program, Sidecar, call

CHAPTER = "/api/chapters/reading-a-sensor"
PROGRESS = "/api/progress/reading-a-sensor"


def chapter(api: Program, token: str | None = None) -> dict:
    answer = call("GET", api.url + CHAPTER, token=token)
    assert answer.status == 200, answer
    return answer.json


def test_a_stranger_reads_the_general_text(api: Program) -> None:
    text = chapter(api)
    assert (text["personalized"], text["level"], text["hardware_note"]) == (False, None, None)
    assert len(text["paragraphs"]) == 1


def test_a_chapter_differs_by_the_software_background(api: Program, sidecar: Sidecar) -> None:
    texts = []
    for level in ("beginner", "intermediate", "advanced"):
        text = chapter(api, sidecar.token(sidecar.sign_up(software_background=level)))
        assert (text["personalized"], text["level"]) == (True, level)
        texts.append(tuple(text["paragraphs"]))
    assert len(set(texts)) == 3


def test_a_chapter_differs_by_the_hardware_background(api: Program, sidecar: Sidecar) -> None:
    text = chapter(api, sidecar.token(sidecar.sign_up(hardware_background="ein Löteisen 🔥")))
    assert (text["personalized"], text["level"]) == (True, None)
    assert "ein Löteisen 🔥" in text["hardware_note"]


def test_a_reader_without_background_reads_the_general_text(api: Program, sidecar: Sidecar) -> None:
    assert chapter(api, sidecar.token(sidecar.sign_up())) == chapter(api)


def test_a_personal_chapter_is_kept_in_no_cache(api: Program) -> None:
    assert call("GET", api.url + CHAPTER).headers["cache-control"] == "private, no-store"


def test_an_edited_profile_shows_with_the_next_token(api: Program, sidecar: Sidecar) -> None:
    user = sidecar.sign_up(software_background="beginner", hardware_background="none")
    before = sidecar.token(user)
    edit = {"software_background": "advanced", "hardware_background": None}
    assert call("PUT", f"{sidecar.url}/auth/profile", token=user.session, body=edit).status == 200
    after = sidecar.token(user)
    assert (chapter(api, before)["level"], chapter(api, after)["level"]) == ("beginner", "advanced")
    assert chapter(api, after)["hardware_note"] is None


def test_me_shows_the_claims(api: Program, sidecar: Sidecar) -> None:
    user = sidecar.sign_up(software_background="beginner")
    claims = call("GET", f"{api.url}/api/me", token=sidecar.token(user)).json
    assert (claims["sub"], claims["id"], claims["email"], claims["name"]) == (user.id, user.id, user.email, "Ada")
    assert (claims["iss"], claims["aud"]) == (PUBLIC_URL, PUBLIC_URL)
    assert (claims["software_background"], claims["hardware_background"]) == ("beginner", None)
    assert claims["emailVerified"] is False


def test_progress_belongs_to_its_reader(api: Program, sidecar: Sidecar) -> None:
    mine, other = (sidecar.token(sidecar.sign_up()) for _ in range(2))
    url = api.url + PROGRESS
    assert call("GET", url, token=mine).json == {"slug": "reading-a-sensor", "percent": 0, "updated_at": None}
    for percent in (30, 70):
        answer = call("PUT", url, token=mine, body={"percent": percent})
        assert (answer.status, answer.json["percent"]) == (200, percent)
    assert call("GET", url, token=mine).json == answer.json
    assert call("GET", url, token=other).json["percent"] == 0
    assert call("GET", f"{api.url}/api/progress/driving-a-motor", token=mine).json["percent"] == 0


def test_progress_needs_a_reader_a_chapter_and_a_percentage(api: Program, sidecar: Sidecar) -> None:
    token = sidecar.token(sidecar.sign_up())
    for method, body in (("GET", None), ("PUT", {"percent": 1})):
        answer = call(method, api.url + PROGRESS, body=body)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert call(method, f"{api.url}/api/progress/none", token=token, body=body).status == 404
    for percent in (-1, 101, "half", None):
        assert call("PUT", api.url + PROGRESS, token=token, body={"percent": percent}).status == 422


def test_progress_goes_with_its_reader(api: Program, sidecar: Sidecar, database_url: str) -> None:
    user = sidecar.sign_up()
    token = sidecar.token(user)
    assert call("PUT", api.url + PROGRESS, token=token, body={"percent": 50}).status == 200
    count = "SELECT count(*) FROM reading_progress WHERE user_id = %s"
    with psycopg.connect(database_url, autocommit=True) as connection:
        assert connection.execute(count, [user.id]).fetchone() == (1,)
        answer = call("POST", f"{sidecar.url}/api/auth/delete-user", token=user.session, body={"password": PASSWORD})
        assert answer.status == 200, answer
        assert connection.execute(count, [user.id]).fetchone() == (0,)
    # The token is still good, but nobody is left to own a row.
    answer = call("PUT", api.url + PROGRESS, token=token, body={"percent": 60})
    assert (answer.status, answer.json) == (401, {"detail": "this user no longer exists"})


def test_cors_is_for_the_configured_sites_alone(api: Program) -> None:
    asks = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization,content-type"}
    for origin in (SITE, "http://localhost:3000"):
        answer = call("OPTIONS", api.url + PROGRESS, headers={"Origin": origin, **asks})
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, origin)
        # A refusal must be readable too, or the page cannot know that it has to sign in.
        answer = call("GET", api.url + PROGRESS, headers={"Origin": origin})
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (401, origin)
        assert "access-control-allow-credentials" not in answer.headers
    answer = call("OPTIONS", api.url + PROGRESS, headers={"Origin": "https://evil.example", **asks})
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (400, None)


def test_the_model_of_the_claims_is_what_the_sidecar_prints(sidecar: Sidecar) -> None:
    assert LEVELS.items() <= sidecar.environment.items()
    assert sidecar.run("types", "--pydantic") == (HERE / "app/claims.py").read_text()


def test_the_openapi_document_is_served(api: Program) -> None:
    document = call("GET", f"{api.url}/api/openapi.json").json
    assert document["components"]["securitySchemes"] == {"HTTPBearer": {"type": "http", "scheme": "bearer"}}
