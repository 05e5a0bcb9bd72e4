"""The methods: one file each. To add one, write its file and name it here."""

from engine.distill.methods import caa, constant, psr
from engine.distill.methods.method import Method, Moment, Solution
from engine.errors import InputError

METHODS: dict[str, Method] = {
    method.name: method for method in (psr.ALL, psr.SINGLE, constant.ALL, constant.SINGLE, caa.CAA)
}

__all__ = ["METHODS", "Method", "Moment", "Solution", "method_named"]


def method_named(name: str) -> Method:
    """Raises InputError for a method that does not exist."""
    if name not in METHODS:
        raise InputError(
            "The prompt cannot be distilled",
            f"There is no method {name}.",
            f"Use one of {', '.join(METHODS)}.",
        )
    return METHODS[name]
