"""Damaged files of every kind against the readers that the window and the command line use."""
