"""Factors as reviewed data, and the emission factor of a source chosen from them."""
