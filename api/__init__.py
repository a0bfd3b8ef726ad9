"""The HTTP API and the dashboard on it."""
