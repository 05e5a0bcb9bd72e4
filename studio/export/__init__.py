"""Conversations, traces and pictures as files for others: pure functions, each told where it came from."""
