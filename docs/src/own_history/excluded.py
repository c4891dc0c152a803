# ruff: noqa: ANN001, ANN201
# region filter
def include_object(_item, name, kind, _reflected, _other):
    return kind != "table" or not name.startswith("soniq_")


# endregion
