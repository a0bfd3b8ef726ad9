"""Blows against a whole server under gateways that never stop, and whether anything was lost by them."""
