"""Handlers, one file a topic: parse, check, call, shape."""
