"""The engine: everything the studio does, without a window. Never imports Qt."""
