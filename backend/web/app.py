"""The app: `gunicorn "backend.web.app:create_app()"`, one process with threads; more processes share the database."""

from importlib.metadata import version

from flask import Flask, jsonify
from flask_bootstrap import Bootstrap5
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from werkzeug.middleware.proxy_fix import ProxyFix

from backend.flows.predictor import Predictor
from backend.settings import Settings, load_settings
from backend.web import (
    api_collections,
    api_datasets,
    api_jobs,
    api_models,
    api_previews,
    api_projects,
    api_recipes,
    api_rules,
    api_sources,
    api_styles,
    guard,
    idempotency,
    logs,
    ml_backend,
    operate,
    orders,
    pages,
    problems,
    security,
    services,
    webhooks,
    words,
)
from backend.web.metrics import Metrics
from backend.web.openapi import described
from backend.web.problems import ProblemDocument

_APIS = (
    api_jobs,
    api_datasets,
    api_recipes,
    api_previews,
    api_projects,
    api_rules,
    api_models,
    api_sources,
    api_collections,
    api_styles,
    orders,
)


def create_app(settings: Settings | None = None, predictor: Predictor | None = None) -> OpenAPI:
    """Return the WSGI app; the database is opened by the first request that needs it.

    predictor: for `/ml`, instead of one of its own.

    Raises:
        UsageError: a setting has an unusable value.
    """
    settings = settings or load_settings()
    app = OpenAPI(
        __name__,
        info=Info(title="LabelLoom", version=version("labelloom")),
        security_schemes={"token": {"type": "http", "scheme": "bearer"}},
        validation_error_model=ProblemDocument,
        validation_error_callback=problems.invalid_response,
        doc_ui=False,
    )
    app.url_map.merge_slashes = False  # an address is what it says, never a guess
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.config["BOOTSTRAP_SERVE_LOCAL"] = True
    app.config["MAX_CONTENT_LENGTH"] = guard.JSON_LIMIT
    Bootstrap5(app)
    app.extensions["labelloom-metrics"] = Metrics()
    services.install(app.extensions, settings)
    words.install(app)
    _install(app, settings)
    for api in _APIS:
        app.register_api(api.routes)
    app.register_blueprint(operate.routes)
    app.register_blueprint(pages.routes)
    app.register_blueprint(webhooks.webhooks(lambda: services.services().engine))
    app.register_blueprint(ml_backend.ml_backend(services.services, predictor))
    app.add_url_rule("/api/v1/openapi.json", "openapi", lambda: jsonify(described(app)))
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    return app


def _install(app: Flask, settings: Settings) -> None:
    """Set up what surrounds every route, in the order in which requests pass it."""
    logs.to_stderr()
    problems.install(app)
    logs.install(app, app.extensions["labelloom-metrics"])
    guard.install(app, settings)
    security.install(app)
    app.before_request(guard.check_body)
    idempotency.install(app)
