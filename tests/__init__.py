"""A package of its own: a wheel that brings a top-level `tests` along would come before a folder without this."""
