# ruff: noqa: ANN001, ANN201
# region filter
def include_name(name, kind, _parents):
    return kind != "schema" or name in {None, "jobs"}


# endregion
