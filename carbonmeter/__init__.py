"""The front door: command line, settings, the embedded database, the demo."""
