"""What LabelLoom remembers between runs: sticky splits and the datasets it made (SQLAlchemy, SQLite by default)."""
