# ruff: noqa: ANN001, ANN201, F821
# region setup
jobs_only = config.config_ini_section == "jobs"


def include_object(_item, name, kind, _reflected, _other):
    return kind != "table" or name.startswith("soniq_") == jobs_only


history = {
    "include_object": include_object,
    "version_table": "soniq_alembic_version" if jobs_only else "alembic_version",
    "autogenerate_plugins": ["alembic.autogenerate.*", "soniq_sa"],
}
# endregion
