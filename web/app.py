"""The application: every operation, the page, and how errors are answered. ``create`` makes it.

Operations are in the files that ``ROUTERS`` names. Each reads what web/parameters.py gives it, and answers with what
web/answers.py and web/paging.py write.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import anyio.to_thread
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException

from inventory import errors
from topology.errors import AmbiguousNode, TopologyError, UnknownNode
from web import about, events, pictures, polls, resources, sessions, snapshots, topology, views
from web.callers import Rates, Sessions
from web.gate import Gate
from web.kept import KeptGraphs
from web.parameters import NotModified, known_parameters
from web.problems import TITLES, TYPE, Problem
from web.service import Service, Settings
from web.views import Views

DESCRIBED = (400, 401, 403, 404, 409, 413, 421, 429, 500, 503)  # of every operation
READERS = 8  # questions to the inventory at once; the others wait
BASE = "/api/v1"
ROUTERS = (
    about.router,
    resources.router,
    polls.router,
    snapshots.router,
    topology.router,
    pictures.router,
    views.router,
    events.router,
    sessions.router,
)
STATUS = {  # of the inventory's and the topology's errors; others are 503
    errors.InvalidQuestion: 400,
    errors.UnknownResource: 404,
    errors.UnknownSnapshot: 404,
    errors.AmbiguousResource: 409,
    UnknownNode: 404,
    AmbiguousNode: 409,
    TopologyError: 400,
}


def create(settings: Settings) -> Gate:
    """An ASGI application. ``app.service.stop()`` ends its streams."""
    service = Service(settings, Sessions(), Rates(), KeptGraphs(), Views(settings.views_file))

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = READERS
        yield
        service.stop()

    app = FastAPI(
        title="CMP connectors: inventory",
        version=settings.version,
        lifespan=lifespan,
        dependencies=[Depends(known_parameters)],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        responses={status: _problem(status) for status in DESCRIBED},
    )
    app.state.service = service
    for router in ROUTERS:
        app.include_router(router, prefix=BASE)
    app.include_router(about.open_router)
    app.include_router(about.open_router, prefix=BASE, include_in_schema=False)
    _add_openapi(app)
    _add_page(app, settings)
    _add_errors(app)
    return Gate(app, service)


def _problem(status: int) -> dict[str, Any]:
    return {
        "description": TITLES[status],
        "content": {TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


# --- the description ---


def _add_openapi(app: FastAPI) -> None:
    @app.get(f"{BASE}/openapi.json", include_in_schema=False)
    async def openapi() -> Any:
        return describe(app)


def describe(app: FastAPI) -> Any:
    """OpenAPI, with the errors and tokens that FastAPI does not know of."""
    found = app.openapi()
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    texts = {"type": "string"}
    schemas["Problem"] = {
        "type": "object",
        "required": ["type", "title", "status", "detail", "request_id"],
        "properties": {
            **dict.fromkeys(("type", "title", "detail", "instance", "request_id"), texts),
            "status": {"type": "integer"},
            "errors": {
                "type": "array",
                "items": {"type": "object", "properties": {"parameter": texts, "detail": texts}},
            },
        },
    }
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "cookie": {"type": "apiKey", "in": "cookie", "name": "flexlocal"},
    }
    found["security"] = [{"token": []}, {"cookie": []}, {}]
    for operations in found["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
    return found


# --- the page ---


def _add_page(app: FastAPI, settings: Settings) -> None:
    folder = settings.page.resolve()

    def file(name: str) -> Response:
        found = (folder / name).resolve() if "\0" not in name else folder
        if not found.is_relative_to(folder) or not found.is_file():
            raise Problem(404, "there is no such file of the page")
        return FileResponse(found)

    def page(request: Request) -> Response:
        return file("index.html")

    # a plain route: the page's own parameters are in its query, which operations would refuse
    app.add_route("/", page, methods=["GET"], include_in_schema=False)

    @app.get("/static/{name:path}", include_in_schema=False)
    def static(name: str) -> Response:
        return file(name)


# --- errors ---


def _add_errors(app: FastAPI) -> None:
    def answered(request: Request, problem: Problem) -> Response:
        return problem.response(request.state.request_id, request.url.path)

    async def of_problem(request: Request, error: Any) -> Response:
        return answered(request, error)

    async def of_validation(request: Request, error: Any) -> Response:
        found = [
            {"parameter": _name(each["loc"]), "detail": str(each["msg"])} for each in error.errors()
        ]
        names = "; ".join(f"{each['parameter']}: {each['detail']}" for each in found[:5])
        return answered(request, Problem(400, names or "it is not as described", errors=found))

    async def of_http(request: Request, error: Any) -> Response:
        headers = dict(error.headers or {})
        detail = {404: "there is nothing at this address", 405: "this address has no such method"}
        text = detail.get(error.status_code, str(error.detail))
        return answered(request, Problem(error.status_code, text, headers=headers))

    async def of_question(request: Request, error: Any) -> Response:
        status = next((number for kind, number in STATUS.items() if isinstance(error, kind)), 503)
        if status == 503:
            request.app.state.service.log(f"{request.state.request_id} {type(error).__name__}")
        return answered(request, Problem(status, str(error)))

    async def of_ours(request: Request, error: Any) -> Response:
        number = request.state.request_id
        return answered(
            request, Problem(500, f"report it with the request_id {number}: the log has it too")
        )

    async def not_modified(request: Request, error: Any) -> Response:
        return Response(status_code=304)

    app.add_exception_handler(Problem, of_problem)
    app.add_exception_handler(RequestValidationError, of_validation)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(errors.InventoryError, of_question)
    app.add_exception_handler(TopologyError, of_question)
    app.add_exception_handler(NotModified, not_modified)
    app.add_exception_handler(Exception, of_ours)


def _name(where: Any) -> str:
    """The parameter of a validation error: ``body.label``, or ``limit``."""
    kind, *path = where or ("body",)
    named = ".".join(map(str, path))
    return f"body.{named}".rstrip(".") if kind == "body" else named
