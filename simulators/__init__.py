"""Meters, their gateways and their faults. They meet the server only over the wire."""
