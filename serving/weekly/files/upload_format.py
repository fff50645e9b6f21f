"""How a marketing tool names users and attributes: presets as data, and the names that the team gives instead."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from features.errors import SettingsError, closest

_LEFT: Sequence[tuple[Callable[[pa.DataType], bool], str]] = (
    (pa.types.is_integer, "0"),
    (pa.types.is_floating, "0"),
    (pa.types.is_decimal, "0"),
    (pa.types.is_boolean, "false"),
    (pa.types.is_date, "1970-01-01"),
    (pa.types.is_timestamp, "1970-01-01T00:00:00Z"),
)


@dataclass(frozen=True)
class UploadFormat:
    """The columns of an upload.

    Attributes
    ----------
    id_column, id_name
        The column of the list by which the tool matches users, and its name in the tool.
    columns
        Name in the tool of each column of the list that is uploaded, in order.
    left
        What a text says of a user who is not on the list any more, and where a value is missing: tools ignore blank cells, so what
        was uploaded before would stay.
    left_values
        The same for single columns of the list. A number otherwise becomes 0, a boolean false and a date 1970-01-01, because tools
        refuse a text in an attribute of another type.

    Raises
    ------
    SettingsError
        When such a value is blank, or two columns have one name.
    """

    id_column: str
    id_name: str
    columns: Mapping[str, str]
    left: str = "none"
    left_values: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        if not all(text.strip() for text in (self.left, *self.left_values.values())):
            raise SettingsError(
                "[export]: the value of users who left the list is blank, which tools ignore",
                hint='choose a text, as "none"',
            )
        names = [self.id_name, *self.columns.values()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SettingsError(
                f"[export.columns]: several columns are named {', '.join(twice)}", hint="give each a name of its own"
            )

    def left_of(self, column: str, kind: pa.DataType) -> str:
        """Return what a column of the list says of a user who is not on it any more."""
        return self.left_values.get(column) or _left_of_type(kind) or self.left


@dataclass(frozen=True)
class Preset:
    """What is known of a tool's import.

    Attributes
    ----------
    ids
        Columns of a list that the tool may match by, and their names there; the best first.
    columns
        Attributes that are uploaded where the list has them, and their names there.
    any_id
        Name of an id column that is called something else on the list; empty: the team has to name it.
    """

    ids: Mapping[str, str]
    columns: Mapping[str, str]
    any_id: str = ""
    left: str = "none"


# What every tool is given: few texts that seldom change, since each changed cell may be billed. The week is none of them.
PRESETS: Mapping[str, Preset] = {
    "plain": Preset(
        ids={"user_id": "user_id"},
        columns={"list": "list", "risk_band": "risk_band", "reason_1": "reason_1", "action": "action"},
        any_id="user_id",
    ),
    # Braze, CSV import (https://www.braze.com/docs/user_guide/data/unification/user_data/import_users/csv/): one of external_id,
    # braze_id, user_alias_name with user_alias_label, email or phone identifies; a header that is not exactly a default attribute
    # becomes a custom attribute; blank cells overwrite nothing and, like ids, log no data point, every other cell does; numbers have
    # neither blanks nor commas, booleans are true or false, times ISO 8601; rows of a repeated id may be lost; a value of another
    # type than the attribute's fails; mixed line ends break the header.
    "braze": Preset(
        ids={"external_id": "external_id", "user_id": "external_id"},
        columns={
            "list": "churn_list",
            "risk_band": "churn_risk_band",
            "reason_1": "churn_reason",
            "action": "churn_action",
        },
        any_id="external_id",
    ),
    # HubSpot, Set up import files (https://knowledge.hubspot.com/import-and-export/set-up-your-import-file): headers are names of
    # properties, which exist before the import; one sheet, UTF-8. Deduplicate records
    # (https://knowledge.hubspot.com/articles/kcs_article/contacts/deduplication-of-contacts-companies-deals-tickets): contacts are
    # matched by e-mail or by Record ID. How do I import contacts (2018, .../contacts/how-do-i-import-contacts): a blank cell overwrites
    # nothing. With both ids in a file a secondary e-mail is said to replace the primary one, so only one of them is uploaded.
    "hubspot": Preset(
        ids={"record_id": "Record ID", "hubspot_id": "Record ID", "email": "Email"},
        columns={
            "list": "Churn list",
            "risk_band": "Churn risk band",
            "reason_1": "Churn reason",
            "action": "Churn action",
        },
    ),
}


def upload_format(
    preset: str,
    names: Sequence[str],
    *,
    id_column: str = "",
    renames: Mapping[str, str] | None = None,
    list_name: str = "",
) -> UploadFormat:
    """Return the columns of an upload: those of a preset that the list has, under the team's names where it gave some.

    Parameters
    ----------
    preset
        A key of :data:`PRESETS`.
    names
        Columns of the list.
    id_column
        The column that the tool matches by; empty: the first that the preset knows and the list has.
    renames
        Name in the tool of columns of the list, those of the preset or others, which are then uploaded too. An empty name: not
        uploaded. A column that is given the tool's name of an id is the id.
    list_name
        For errors.

    Raises
    ------
    SettingsError
        When there is no such preset or column, or the list has no column that the tool can match by.
    """
    if preset not in PRESETS:
        raise SettingsError(f'[export] preset: there is no preset "{preset}"', hint=closest(preset, PRESETS))
    known, renames = PRESETS[preset], renames or {}
    a_list = f"the list {list_name}".rstrip()
    _check_columns(renames if not id_column else [*renames, id_column], names, a_list=a_list)
    found = id_column or _id_column(known, names, renames=renames)
    name = renames.get(found) or known.ids.get(found) or known.any_id
    if not (found and name):
        raise _without_id(preset, known, id_column=found, a_list=a_list)
    columns = {column: known.columns.get(column, "") for column in names} | dict(renames)
    carried = {column: name for column, name in columns.items() if name and column != found}
    return UploadFormat(found, name, columns=carried, left=known.left)


def _check_columns(wanted: Collection[str], names: Sequence[str], *, a_list: str) -> None:
    for column in wanted:
        if column not in names:
            hint = f"an attribute of [users] is carried along by [[lists]] columns; {closest(column, names)}"
            raise SettingsError(f'[export]: {a_list} has no column "{column}"', hint=hint)


def _id_column(known: Preset, names: Sequence[str], *, renames: Mapping[str, str]) -> str:
    """Return the column renamed to an id of the tool, else the best that the list has; empty: there is none."""
    renamed = [column for column, name in renames.items() if name in known.ids.values()]
    return next((column for column in (*renamed, *known.ids) if column in names), "")


def _without_id(preset: str, known: Preset, *, id_column: str, a_list: str) -> SettingsError:
    expected = " or ".join(f'"{name}"' for name in dict.fromkeys(known.ids.values()))
    got = f'the column "{id_column}" is neither' if id_column else f"{a_list} has none of {', '.join(known.ids)}"
    hint = f'carry such a column along in [[lists]] columns; name it in [export.columns], as crm_id = "{[*known.ids.values()][-1]}"'
    return SettingsError(f"[export] preset: {preset} matches users by {expected}; {got}", hint=hint)


def _left_of_type(kind: pa.DataType) -> str:
    """Return what takes the place of a value that is not text; empty for text."""
    return next((text for is_such, text in _LEFT if is_such(kind)), "")
