"""Emissions that a bank's loans finance: see README.md."""
