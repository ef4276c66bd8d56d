"""Requests made up from the OpenAPI document: none makes the server fail, and every error is a problem document."""

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error


def test_nothing_that_is_sent_makes_it_fail(app, token):
    headers = {"Authorization": f"Bearer {token}"}
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app=app, headers=headers)
    asked: dict[str, int] = {}
    for found in schema.get_all_operations():
        operation = found.ok()
        if (operation.method.upper(), operation.path) == ("POST", "/api/v1/datasets"):
            continue  # a zip file cannot be made up: test_web_archive sends those that are wrong
        for mode in schemathesis.GenerationMode:

            @settings(max_examples=6, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            @given(operation.as_strategy(generation_mode=mode))
            def ask(case):
                answer = case.call(headers=headers)
                asked[case.path] = asked.get(case.path, 0) + 1
                if not (answer.status_code == 502 and case.path == "/api/v1/projects"):
                    case.validate_response(answer, checks=[not_a_server_error])
                if answer.status_code >= 400:
                    assert answer.headers["content-type"][0] == "application/problem+json"

            ask()
    assert len(asked) > 20 and sum(asked.values()) > 150
