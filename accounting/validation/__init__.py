"""Checks between channels: rules over the books, whose findings never change a figure."""
