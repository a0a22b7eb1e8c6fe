"""`/docs` without a network: the page, its scripts and its styles all come from this service."""

import json
from typing import Final

from fastapi import FastAPI
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from swagger_ui_bundle import swagger_ui_path

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<link rel="icon" href="docs/assets/favicon-32x32.png">
<link rel="stylesheet" href="docs/assets/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/assets/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
# validatorUrl null: otherwise the page would show a badge made by a server elsewhere.
_START: Final = """SwaggerUIBundle({options});
"""
_OPTIONS: Final = {"url": "openapi.json", "dom_id": "#swagger-ui", "validatorUrl": None}
_POLICY: Final = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"


def add_docs(app: FastAPI) -> None:
    """Serve the page at `/docs`; the browser is told to load nothing from elsewhere."""
    page = _PAGE.format(title=app.title)
    start = _START.format(options=json.dumps(_OPTIONS))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})

    @app.get("/docs/start.js", include_in_schema=False)
    async def docs_start() -> Response:
        return Response(start, media_type="text/javascript")

    app.mount("/docs/assets", StaticFiles(directory=swagger_ui_path), name="docs-assets")
