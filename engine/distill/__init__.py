"""From a steering prompt to a head: responses, targets, fit and figures (engine/README.md)."""

from engine.distill.methods import METHODS
from engine.distill.pipeline import Distillation, Request, distill
from engine.events import Effect

__all__ = ["METHODS", "Distillation", "Effect", "Request", "distill"]
