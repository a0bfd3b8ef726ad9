"""The only SQL: schema, migrations, COPY, rows to nouns and back."""
