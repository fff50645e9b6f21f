"""What a list is known by wherever it is taken to."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from features.errors import InputError

ADDRESS_COLUMNS = ("project", "week", "list", "export_id")  # in a table of many lists


@dataclass(frozen=True)
class ListAddress:
    """Project, week, list and export: the folders of a delivery, and the first columns of a table.

    Raises
    ------
    InputError
        When one of them cannot be the name of a folder.
    """

    project: str
    week: str
    name: str
    export_id: str

    def __post_init__(self) -> None:
        for part in astuple(self):
            if part in {"", ".", ".."} or "/" in part or "\\" in part:
                raise InputError(
                    f'a list cannot be delivered under the name "{part}"', hint="use letters, digits, - and _"
                )

    @property
    def path(self) -> str:
        """Below the place of delivery."""
        return "/".join(astuple(self))

    def columns(self) -> dict[str, str]:
        """Return the columns that tell the rows of lists apart in one table."""
        return dict(zip(ADDRESS_COLUMNS, astuple(self), strict=True))
