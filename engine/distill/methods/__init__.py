"""The fitting methods, one file each. To add one, write its file and name it here."""

from engine.distill.methods import ablation, caa, constant, pca, projection, psr, reft_r1
from engine.distill.methods.method import BlockData, Method, Solution
from engine.errors import InputError

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        psr.ALL,
        psr.SINGLE,
        constant.ALL,
        constant.SINGLE,
        reft_r1.REFT_R1,
        projection.PROJECTION,
        caa.CAA,
        pca.PCA,
        ablation.ABLATION,
    )
}

__all__ = ["METHODS", "BlockData", "Method", "Solution", "method_named"]


def method_named(name: str) -> Method:
    """The method of that name.

    Raises:
        InputError: when there is none.
    """
    if name not in METHODS:
        raise InputError(
            "The prompt cannot be distilled",
            f"There is no method {name}.",
            f"Use one of {', '.join(METHODS)}.",
        )
    return METHODS[name]
