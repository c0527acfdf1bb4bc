"""The page's login: a token is sent once, and a cookie that no script can read takes its place."""

from typing import Annotated, Any, Optional

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from inventory.answers import written_or_none
from web.answers import Answer
from web.callers import COOKIE, SCHEME, Caller, caller, check_csrf, known, service_of
from web.problems import Problem
from web.tokens import TokensError

router = APIRouter(prefix="/session", tags=["session"])


class Login(BaseModel):
    model_config = ConfigDict(extra="forbid")
    token: str = Field(min_length=1, max_length=200)


def token_row(found: Caller) -> dict[str, Any]:
    return {
        "label": found.label,
        "scopes": sorted(found.scopes),
        "accounts": None if found.accounts is None else sorted(found.accounts),
        "expires_at": written_or_none(found.expires_at),
    }


@router.get("", summary="Who the caller is")
async def session(found: Annotated[Caller, Depends(caller)]) -> Answer:
    """``csrf`` is what writes by cookie send back in the header X-CSRF-Token; null for a token in the header."""
    return Answer({"csrf": found.csrf, "token": token_row(found)})


@router.post("", summary="Log in", status_code=201)
def login(request: Request, body: Login) -> Answer:
    service = service_of(request)
    now = service.now()
    wait = service.rates.take("logins")
    if wait:
        raise Problem(429, "too many logins", headers={"Retry-After": str(int(wait) + 1)})
    try:
        token = service.tokens.find(body.token.strip())
    except TokensError as error:
        raise Problem(503, str(error)) from None
    if token is None or token.expired(now):
        why = "has expired" if token else "is not known here"
        raise Problem(401, f"the token {why}: flexlocal token add makes one", headers=SCHEME)
    service.tokens.used(token, now)
    name, begun = service.sessions.begin(token, now)
    answer = Answer({"csrf": begun.csrf, "until": written_or_none(begun.until)}, 201)
    answer.set_cookie(
        COOKIE,
        name,
        max_age=int((begun.until - now).total_seconds()),
        path="/",
        httponly=True,
        samesite="strict",
        secure=service.settings.secure,
    )
    return answer


@router.delete("", summary="Log out")
async def logout(request: Request, found: Annotated[Optional[Caller], Depends(known)]) -> Answer:
    service = service_of(request)
    name = request.cookies.get(COOKIE)
    if found is not None and name and found.token is not None:
        check_csrf(request, found)
        service.sessions.end(name)
    answer = Answer({"ended": True})
    answer.delete_cookie(
        COOKIE, path="/", httponly=True, samesite="strict", secure=service.settings.secure
    )
    return answer
