from pathlib import Path

import pytest
from pydantic import ValidationError

from service.settings import Settings, unknown_settings


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THERMAL_REST_PORT", "9000")
    monkeypatch.setenv("THERMAL_MODELS", "landmarks_t, face_detector")
    monkeypatch.setenv("THERMAL_MODEL_REPOSITORY", "/srv/models")
    settings = Settings()
    assert settings.rest_port == 9000
    assert settings.models == ("landmarks_t", "face_detector")
    assert settings.model_repository == Path("/srv/models")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REST_PORT", "70000"),
        ("PRECISION", "fp64"),
        ("BACKEND", "onnxruntime"),
        ("DEADLINE_MS", "0"),
        ("MAX_INFLIGHT", "0"),
        ("CHECK_MODELS_S", "0"),
    ],
)
def test_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"THERMAL_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_misspelt_settings_are_found() -> None:
    environment = {"THERMAL_REST_PORT": "1", "THERMAL_REST_PROT": "1", "HOME": "/"}
    assert unknown_settings(environment) == ["THERMAL_REST_PROT"]
