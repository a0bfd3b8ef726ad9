"""The green grade of an enterprise: schemes as data, a pure engine in exact fractions."""
