"""Whether accounts and groups tell people apart: several devices of one account, and ids that start again in each tenant or shop."""

from __future__ import annotations

import re
from collections.abc import Sequence

from churn.first_look.evidence.columns import Column
from churn.first_look.evidence.names import DEVICE, GROUP, is_word, person_rank
from churn.first_look.evidence.table import TABLE, LogTable
from churn.first_look.evidence.times import column_name, sql_name
from churn.first_look.questions import Answers, Option

_VISITORS = (  # of whom one account may have several, as of devices
    "visitor|full_visitor|cookie_user|besucher|visiteur|visitante|посетитель|посетителя|访客|訪客|방문자|ziyaretci|bezoeker|odwiedzajacy"
)
_HOLDERS = (  # of users, each of whom is of one: what would be a person with several of them is one of each
    "account|acct|org|organization|organisation|tenant|workspace|household|konto|compte|cuenta|conta|mandant|mandante|client_org|haushalt|foyer|hogar"
    "|domicilio|famiglia|family|арендатор|организация|семья|世帯|租户|租戶|家庭|테넌트|가구|kiraci|hane|gospodarstwo|huishouden"
)
_PLACES = (  # of users, each of whom may be of several
    "company|team|firma|store|shop|branch|outlet|market|server|realm|club|filiale|geschaft|markt|laden|standort|magasin|boutique|agence|tienda|sucursal"
    "|loja|filial|negozio|punto_vendita|winkel|filiaal|magaza|sube|sklep|oddzial|магазин|филиал|店舗|支店|店铺|店鋪|门店|門市|分店|매장|지점|サーバー|服务器"
)
_FULL, _MUCH = 0.95, 0.1
_SHARED, _DENSE, _SEVERAL = 0.95, 0.8, 2
_COUNTED = re.compile(r"\D{0,4}\d{1,7}")  # ids that were counted up, and are short enough to start again elsewhere


def are_the_same(one: Column, other: Column, table: LogTable) -> bool:
    """Tell whether two columns tell the same users apart."""
    a, b = table.column(one.name), table.column(other.name)
    first, second, both = table.numbers(
        f"count(distinct {a})",
        f"count(distinct {b})",
        f"count(distinct ({a}, {b}))",
        where=f"{a} is not null and {b} is not null",
    )
    is_complete = both > 0 and one.filled >= other.filled * _FULL
    return first == second == both and is_complete


def accounts_of(best: Sequence[Column], people: Sequence[Column], table: LogTable) -> list[Column]:
    """Return accounts and other groups that tell users apart in another way than the devices or visitors that are named best."""
    if not all(person_rank(one.normal) == DEVICE or is_word(_VISITORS, one.normal) for one in best):
        return []
    groups = [one for one in people if one not in best and person_rank(one.normal) == GROUP]
    return [one for one in groups if one.filled_share >= _MUCH and not are_the_same(one, best[0], table)]


def ask_about_restarts(user: Column, columns: Sequence[Column], table: LogTable, *, answers: Answers) -> bool:
    """Ask whether ids start again in each group, so that the same id is another user there; tell whether that is open."""
    groups = [one for one in columns if one is not user and one.filled_share >= _FULL and one.distinct > 1]
    group = next((one for one in groups if _restarts(user, one, table)), None)
    if group is None:
        return False
    pairs = f"count(distinct ({table.column(group.name)}, {table.column(user.name)}))"
    (users,) = table.numbers(pairs, where=f"{table.column(user.name)} is not null")
    joined = f"{sql_name(group.name, table)} || '/' || {sql_name(user.name, table)}"
    options = [
        Option(joined, f"{users:,} users: ids start again in each {group.name}"),
        Option(column_name(user.name, table), f"{user.distinct:,} users: an id is one user in every {group.name}"),
    ]
    words = f"Who did it? Nearly every value of {user.name} is in several values of {group.name}: is it the same user?"
    answers.ask("user_id", words, options)
    return True


def _restarts(user: Column, group: Column, table: LogTable) -> bool:
    """Tell whether hardly any id is in one group only.

    Who is of one tenant is of no other; who comes to one shop may come to others, so there the ids of each have to be counted from one.
    """
    is_one_of = is_word(_HOLDERS, group.normal)
    if not (is_one_of or (is_word(_PLACES, group.normal) and user.is_whole)):
        return False
    if person_rank(user.normal) == GROUP or not all(map(_COUNTED.fullmatch, user.values)):
        return False
    who, where = table.column(user.name), table.column(group.name)
    ((groups, ids, shared, dense),) = table.connection.execute(
        f"""with pairs as (select distinct {who} as who, {where} as place from {TABLE} where {who} is not null and {where} is not null),
            users as (select who, count(*) as places from pairs group by who),
            sized as (select place, count(*) as ids, count(*) filter (places > 1) as shared, min(try_cast(who as double)) as low,
                max(try_cast(who as double)) as high, row_number() over (order by ids desc) as size
                from pairs join users using (who) group by place)
        select count(*), coalesce(sum(ids), 0), coalesce(sum(shared), 0), count(*) filter (low <= 1 and ids >= {_DENSE} * high)
        from sized where size > 1"""
    ).fetchall()
    are_shared = ids >= _SEVERAL * groups > 0 and shared >= _SHARED * ids
    return bool(are_shared and (is_one_of or dense >= _DENSE * groups))
