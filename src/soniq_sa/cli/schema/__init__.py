"""``soniq-sa schema``: the job tables in the database and in the project's migrations."""
