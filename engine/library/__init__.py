"""The library: conversations, heads, runs and votes in one SQLite file, and the session as it was left."""
