"""Pages for people: the dashboard at `/`, the documentation at `/docs` and `/redoc`.

Nothing comes from a content network: Swagger UI and ReDoc out of the installed package fastapi-offline, the charts'
bundle out of plotly's.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, FastAPI, Response
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles

DASHBOARD = Path(__file__).parent / "dashboard"

router = APIRouter(include_in_schema=False)


def installed_folder(package: str, folder: str) -> Path:
    """A folder of data in an installed package, found without importing the package."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(f"the package {package} is not installed")
    return Path(spec.submodule_search_locations[0]) / folder


@router.get("/")
async def dashboard() -> Response:
    return FileResponse(DASHBOARD / "index.html", headers={"Cache-Control": "no-cache"})


@router.get("/static/plotly.min.js")
async def plotly() -> Response:
    bundle = installed_folder("plotly", "package_data") / "plotly.min.js"
    return FileResponse(bundle, media_type="text/javascript", headers={"Cache-Control": "max-age=86400"})


@router.get("/docs")
async def docs() -> Response:
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="carbonmeter API",
        swagger_js_url="/static/docs/swagger-ui-bundle.js",
        swagger_css_url="/static/docs/swagger-ui.css",
        swagger_favicon_url="/static/icon.svg",
    )


@router.get("/redoc")
async def redoc() -> Response:
    return get_redoc_html(
        openapi_url="/openapi.json",
        title="carbonmeter API",
        redoc_js_url="/static/docs/redoc.standalone.js",
        redoc_favicon_url="/static/icon.svg",
        with_google_fonts=False,
    )


class Static(StaticFiles):
    """Files that a browser asks for again by their tag: a new release shows at once."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "no-cache"
        return response


def mount(app: FastAPI) -> None:
    """Add the pages and their files to an application."""
    app.include_router(router)
    app.mount("/static/docs", Static(directory=installed_folder("fastapi_offline", "static")))
    app.mount("/static", Static(directory=DASHBOARD))
