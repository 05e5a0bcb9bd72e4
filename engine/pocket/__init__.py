"""Pocket: the bundled model's language, its exact rules, its training and its measurement."""
