"""The SQL of soniq-sa: one function builds one statement, with SQLAlchemy Core."""
