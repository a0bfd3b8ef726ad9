"""Years of an enterprise that nobody metered: rows of a file, template to inventory document."""
