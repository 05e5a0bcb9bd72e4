"""From a steering prompt to a head: responses, targets, fits, and how faithful the result is."""

from engine.distill.methods import METHODS
from engine.distill.pipeline import Distillation, Request, distill
from engine.events import Effect

__all__ = ["METHODS", "Distillation", "Effect", "Request", "distill"]
