"""Heads: what steers, how it is applied, how it is stored."""

HEAD_SUFFIX = ".head.safetensors"
