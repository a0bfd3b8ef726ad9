"""Allowances of the national emissions trading system: see README.md."""
