"""Who is a member, by what the table of users says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from features.catalogue.definition import Unit
from features.sql import identifier, literal
from insights.engine.active_days import ActiveDays
from insights.presentation.texts import text
from insights.settings import ReportSettings
from insights.statistics.small_groups import shown_groups

_SHOWN = 6
# that somebody is not a member; blanks, "-" and "_" are one blank
_NO = (
    *("", "no", "n", "false", "f", "off", "none", "nil", "null", "nan", "na", "n/a", "undefined", "never", "not yet"),
    *("no member", "no membership", "not member", "not a member", "non member", "nonmember", "is not a member"),
    *("否", "非", "无", "無", "不", "没", "没有", "沒有", "未", "不是", "不是会员", "不是會員", "假", "空"),
    *("非会员", "非會員", "非会員", "无会员", "未加入", "未开通", "未開通", "未入会", "なし", "無し", "いいえ"),
    *("아니요", "아니오", "비회원", "없음", "nein", "kein", "keine", "kein mitglied", "nichtmitglied"),
    *("non", "non membre", "aucun", "não", "nao", "não membro", "ninguno", "no miembro", "non membro", "nessuno"),
    *("nee", "geen", "nej", "nei", "nie", "brak", "ne", "нет", "ні", "hay\u0131r", "yok", "không", "tidak", "لا"),
)


@dataclass(frozen=True)
class Membership:
    """What the table of users calls a member.

    Attributes
    ----------
    attribute
        Its attribute.
    values
        Those that mean member; none: all but words for no, and of numbers those above zero.
    """

    attribute: str
    values: Sequence[str] = ()

    @classmethod
    def of(cls, settings: ReportSettings) -> Membership:
        """Return what the settings say."""
        return cls(settings.member_attribute, settings.member_values)

    def is_known(self, log: ActiveDays) -> bool:
        """Tell whether the table of users has the attribute."""
        return self.attribute in log.activity.tables.attributes

    def is_member(self, log: ActiveDays) -> str:
        """Return the condition, in SQL over ``version``, that somebody is a member."""
        value = f"version.{identifier(self.attribute)}"
        if self._is_text(log):
            wanted = ", ".join(_word(literal(one)) for one in self.values or _NO)
            condition = f"{_word(value)} in ({wanted})"
            is_no = f"({condition} or coalesce(try_cast({value} as double) <= 0, false))"
            return f"coalesce({condition if self.values else f'not {is_no}'}, false)"
        wanted = ", ".join(_number(literal(one)) for one in self.values)
        return f"coalesce({value} in ({wanted}), false)" if self.values else f"coalesce({value} > 0, false)"

    def words(self, log: ActiveDays) -> str:
        """Return the values that were taken as member; those of few users are not named."""
        if not (self.values or self._is_text(log)):
            return text("members.above_zero")
        value = f"trim(cast(version.{identifier(self.attribute)} as varchar))"
        sizes: dict[str, int] = dict(
            log.rows(f"""select {value} as value, count(distinct uid) from ({log.attributes()})
                where {self.is_member(log)} group by value order by value""")
        )
        shown = shown_groups(sizes, most=_SHOWN)
        names = shown if self._is_text(log) else [f"{float(one):g}" for one in shown]
        rest = [text("groups.other", n=len(sizes) - len(shown))] if len(shown) < len(sizes) else []
        return text("groups.separator").join([*names, *rest]) or text("groups.none")

    def _is_text(self, log: ActiveDays) -> bool:
        return log.activity.tables.attributes[self.attribute] is Unit.TEXT


def _word(value: str) -> str:
    return f"trim(regexp_replace(lower(nfc_normalize({value})), '[\\s_-]+', ' ', 'g'))"


def _number(value: str) -> str:
    return f"coalesce(try_cast({value} as double), cast(try_cast({value} as boolean) as double))"
