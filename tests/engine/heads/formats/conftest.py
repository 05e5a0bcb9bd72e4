"""The formats' tests use the tiny model of the engine's tests."""

from tests.engine.conftest import model, session_model

__all__ = ["model", "session_model"]
