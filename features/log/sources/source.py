"""Files of one schema as a relation of their own columns, and how each mapped expression reads them."""

from __future__ import annotations

import glob
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from features.errors import closest
from features.log.files import LOG, Subject
from features.log.sources.binding import Bound, Texts
from features.sql import identifier, literal

LOG_FILE = "_log_file"  # the column that names the file of a row
LOG_ROW = "_log_row"  # and the one that numbers the rows of a file
WHY = "_log_why"  # and the one that names the fault of a row
_KEY = re.compile(r"(?:^|(?<=/))([^/=]+)=([^/]+)(?=/)")


def folder_keys(name: str) -> tuple[str, ...]:
    """Return the keys that the folders of a file give a value to, as Hive and Spark write them.

    Examples
    --------
    >>> folder_keys("log/day=2026-01-05/source=ads/x.parquet")
    ('day', 'source')
    """
    return tuple(key for key, _ in _KEY.findall(name))


def folder_value(key: str, path: str) -> str:
    """Return the SQL of the value that a folder in a path gives to a key, as Hive and Spark write it: percent-encoded, or absent.

    Parameters
    ----------
    path
        SQL of the path, in which a folder has the key.

    Examples
    --------
    >>> folder_value("day", "file")
    "nullif(url_decode(regexp_extract(file, '(?:^|/)day=([^/]+)/', 1)), '__HIVE_DEFAULT_PARTITION__')"
    """
    written = f"regexp_extract({path}, {literal(f'(?:^|/){re.escape(key)}=([^/]+)/')}, 1)"
    return f"nullif(url_decode({written}), '__HIVE_DEFAULT_PARTITION__')"


def with_keys(reader: str, keys: Collection[str], *, filename: str) -> str:
    """Return the FROM clause of a reader's columns, and of keys of the folders as columns of text.

    DuckDB's own reading of them takes every key of a path, also one that a column of the file is named after, in its place.

    Parameters
    ----------
    filename
        The reader's column that names the file of a row.
    """
    if not keys:
        return reader
    added = (f"{folder_value(key, filename)} as {identifier(key)}" for key in dict.fromkeys(keys))
    return f"(select *, {', '.join(added)} from {reader})"


def hive_options(keys: Collection[str]) -> str:
    """Return the options under which DuckDB reads keys of folders as columns of text, or leaves them alone."""
    return f"hive_partitioning = {'true, hive_types_autocast = false' if keys else 'false'}"


def is_named(column: str, sql: str) -> bool:
    """Tell whether SQL names a column, quoted or not.

    Examples
    --------
    >>> [is_named("n", sql) for sql in ("N + 1", '"n"', "amount", "n_events")]
    [True, True, False, False]
    """
    return re.search(rf"(?<!\w){re.escape(column)}(?!\w)", sql.replace('""', '"'), re.IGNORECASE) is not None


@dataclass(frozen=True)
class Source:
    """Some files of a log before their rows are checked.

    Attributes
    ----------
    sql
        FROM clause of their own columns, and of :data:`LOG_FILE`.
    mapping
        Contract column to how its expression is evaluated over them.
    where
        The condition on rows, where there is one.
    columns
        Their own columns.
    files
        Their names.
    reading
        How texts are read as something else.
    fault
        SQL over their own columns: why a row has none of the values that it seems to have, null where it has them; empty: all have.
    more
        Own columns that are handed on as they are.
    row_text
        Own column with the fields of a row as they stand, where faults may keep them from their columns; empty: there is none.
    missing
        Columns that the mapping names, and that only other files have: absent values.
    """

    sql: str
    mapping: Mapping[str, Bound]
    where: Bound | None = None
    columns: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    subject: Subject = LOG
    reading: Texts = field(default_factory=Texts)
    fault: str = ""
    more: tuple[str, ...] = ()
    row_text: str = ""
    missing: tuple[str, ...] = ()

    @property
    def rows(self) -> str:
        """FROM clause with, for each mapped column, what it was read as.

        ``raw_*`` is its value, ``shown_*`` the text that a rejected row shows, ``failed_*`` (for guarded expressions) whether the
        expression failed on the row, ``failed_where`` whether the condition did, :data:`WHY` the fault of the row.
        """
        tried = [
            f"{bound.sql} as {'try' if bound.is_guarded else 'raw'}_{name}" for name, bound in self.mapping.items()
        ]
        inputs = [f"{_inputs(bound)} as inputs_{name}" for name, bound in self.mapping.items() if bound.is_guarded]
        inputs += [f"{self.fault} as {WHY}"] if self.fault else []
        where, condition = self.where, ""
        if where and where.is_guarded:
            inputs.append(f"{where.sql} as try_where")
            condition = " where try_where is null or try_where.v"
        inner = f"select {', '.join([LOG_FILE, *self.more, *tried, *inputs])} from {self.sql}"
        if where and not where.is_guarded:
            inner += f" where {where.sql}"
        outer = [
            LOG_FILE,
            *self.more,
            *(column for name, bound in self.mapping.items() for column in _outer(name, bound)),
        ]
        failed = [WHY] if self.fault else []
        failed += ["try_where is null as failed_where"] if condition else []
        return f"(select {', '.join(outer + failed)} from ({inner}){condition})"

    @property
    def has_guarded_where(self) -> bool:
        """Whether the condition may fail on a row."""
        return self.where is not None and self.where.is_guarded

    def signature(self) -> list[object]:
        """Return what decides the values of its rows."""
        where = self.where and (self.where.sql, self.where.kind)
        return [
            self.sql.replace(file_list(self.files), ""),
            {name: (one.sql, one.kind) for name, one in self.mapping.items()},
            where,
        ]

    def of_file(self, name: str) -> Source:
        """Return one of its files alone, with the number of each row from 1 as :data:`LOG_ROW`."""
        sql = self.sql.replace(file_list(self.files), file_list([name]))
        return replace(
            self, sql=f"(select *, row_number() over () as {LOG_ROW} from {sql})", files=(name,), more=(LOG_ROW,)
        )


def file_list(names: Collection[str]) -> str:
    """Write names of files as an SQL list; DuckDB reads names as globs."""
    return "[" + ", ".join(literal(glob.escape(name)) for name in names) + "]"


def _outer(name: str, bound: Bound) -> list[str]:
    if not bound.is_guarded:
        return [f"raw_{name}", f"cast(raw_{name} as varchar) as shown_{name}"]
    value = f"try_{name}.v"
    return [
        f"{value} as raw_{name}",
        f"coalesce(cast({value} as varchar), case when try_{name} is null then inputs_{name} end) as shown_{name}",
        f"try_{name} is null as failed_{name}",
    ]


def _inputs(bound: Bound) -> str:
    texts = ", ".join(f"cast({name} as varchar)" for name in bound.inputs)
    return f"concat_ws(' | ', {texts})" if texts else "cast(null as varchar)"


def suggestion(expression: str, columns: Collection[str], *, subject: Subject) -> str:
    """Suggest the column that was probably meant."""
    return f"{closest(expression, columns)} (columns of {subject.noun})"
