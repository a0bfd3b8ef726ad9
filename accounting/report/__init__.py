"""The yearly report of an enterprise."""
