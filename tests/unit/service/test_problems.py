import inspect

import pytest

from service import errors
from service.rest.problems import STATUS, problem, problem_response

CLASSES = [
    item
    for _, item in inspect.getmembers(errors, inspect.isclass)
    if issubclass(item, errors.ServiceError)
]


def test_every_error_has_a_status() -> None:
    assert set(STATUS) == set(CLASSES)


def test_codes_are_stable_and_unique() -> None:
    codes = [item.code for item in CLASSES]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("kind", CLASSES)
def test_problem(kind: type[errors.ServiceError]) -> None:
    made = problem(kind("what happened", hint="a fact"))
    assert made.status == STATUS[kind]
    assert made.code == kind.code
    assert made.detail == "what happened"
    assert made.type.endswith(kind.code)
    assert made.model_dump()["hint"] == "a fact"


def test_facts_cannot_replace_the_fields() -> None:
    made = problem(errors.InvalidOption("what happened", status=200, code="fine"))
    assert (made.status, made.code) == (422, "invalid_option")


def test_retry_after() -> None:
    response = problem_response(errors.Overloaded("later", retry_after_s=7))
    assert (response.status_code, response.headers["retry-after"]) == (429, "7")
    assert problem_response(errors.BackendOverloaded("later")).headers["retry-after"] == "1"
    assert "retry-after" not in problem_response(errors.EmptyInput("nothing")).headers
