"""S10: products that are viewed and not bought."""

from __future__ import annotations

from collections.abc import Sequence

from features.sql import literal
from insights.engine.active_days import ActiveDays
from insights.presentation import formats
from insights.presentation.groups import group_of
from insights.presentation.section import Figures, Row, Section, columns, with_interval
from insights.presentation.texts import text
from insights.statistics.shrinkage import shrunk
from insights.statistics.small_groups import MIN_USERS, shown_groups
from models.charts import Axis, card, intervals, level, svg
from models.page import Picture
from models.shares import wilson

WINDOW = 90  # days in which the first view of a product counts
_MOST, _IN_PICTURE = 40, 12


def products(log: ActiveDays, event_types: Sequence[str], *, within_days: int) -> Section:
    """Return product loss: of the users who viewed a product, those who did not buy it within some days.

    Parameters
    ----------
    event_types
        What viewing a product is called; empty: every row that names a product and no order, and is no purchase.
    """
    elsewhere = {text("products.elsewhere"): text("products.nowhere")}
    if "item_id" not in log.facts:
        return Section("products", [text("products.unknown")], needs={text("products.loss"): "item_id"} | elsewhere)
    make_views(log, event_types, within_days=within_days)
    rows = by_group(log, "item_id")
    if not rows:
        return Section("products", [text("products.nothing", days=within_days)], needs=elsewhere)
    if not log.value("select count(*) from bought_items"):
        needs = {text("products.loss"): text("products.purchases_with_items")} | elsewhere
        return Section("products", [text("products.not_bought")], needs=needs)
    whole, lost = (sum(row[name] for row in rows) for name in ("viewed", "lost"))
    facts = {"views": whole, "product_loss": lost / whole, "window_days": WINDOW, "within_days": within_days}
    tables = [Figures("products", rows, _KINDS)]
    has_categories = "item_category" in log.facts
    if has_categories:
        shown = [name for name in _KINDS if name != "category"]
        tables.append(Figures("item_categories", by_group(log, "item_category"), _KINDS, shown))
    needs = elsewhere if has_categories else elsewhere | {text("products.categories"): "item_category"}
    sentences = _sentences(rows, lost / whole, days=within_days)
    return Section("products", sentences, tables, [_picture(rows, lost / whole)], facts, needs)


def make_views(log: ActiveDays, event_types: Sequence[str], *, within_days: int) -> None:
    """Make ``views``: ``uid, item_id, item_category, is_bought``, the first view of a product by a user, where its days are over."""
    types = ", ".join(map(literal, event_types))
    is_view = f"event_type in ({types})" if types else "order_id is null and not is_purchase"
    last = log.days - within_days
    log.make(
        "views",
        f"""with first_views as (select uid, item_id, min(d) as d, max(item_category) as item_category from lines
            where item_id is not null and {is_view} and d >= {last - WINDOW} and d < {last} group by uid, item_id)
        select l.*, exists (from bought_items b where b.uid = l.uid and b.item_id = l.item_id
            and b.d between l.d and l.d + {within_days}) as is_bought from first_views l""",
    )


def by_group(log: ActiveDays, group: str) -> list[Row]:
    """Return viewers and losses by product or category; the smallest are one group, and the most missing buyers come first.

    Who viewed several products of a category is one viewer of it, and is lost where none of them was bought. The smallest are shown where
    together they have enough viewers who are not the same.
    """
    log.make(
        "viewers",
        f"""select uid, {group_of(group)} as name, bool_or(is_bought) as is_bought, max(item_category) as category
        from views group by all""",
    )
    sql = (
        "select name, count(*), count(*) filter (not is_bought), max(category) from viewers group by name order by name"
    )
    found: dict[str, tuple[int, int, str | None]] = {name: tuple(counted) for name, *counted in log.rows(sql)}
    shown = shown_groups({name: viewed for name, (viewed, _, _) in found.items()}, most=_MOST)
    rest = [one for name, one in found.items() if name not in shown]
    groups = [(name, *found[name]) for name in shown]
    listed = f"[{', '.join(map(literal, shown))}]::varchar[]"
    if log.value(f"select count(distinct uid) from viewers where not list_contains({listed}, name)") >= MIN_USERS:
        groups.append((text("groups.other", n=len(rest)), sum(one[0] for one in rest), sum(one[1] for one in rest), ""))
    rows = _rows(groups) if groups else []
    return sorted(rows, key=lambda row: (row["group"] not in shown, -row["missing"], row["group"]))


def _rows(groups: Sequence[tuple[str, int, int, str | None]]) -> list[Row]:
    viewed, lost = [one[1] for one in groups], [one[2] for one in groups]
    mean = sum(lost) / sum(viewed)
    return [
        {"group": name, "category": category, "viewed": n, "lost": x, "missing": rate.value * n - mean * n}
        | with_interval("loss", wilson(x, n))
        | with_interval("shrunk", rate)
        | {"verdict": text(f"groups.{rate.verdict}")}
        for (name, n, x, category), rate in zip(groups, shrunk(lost, viewed), strict=True)
    ]


# --- How it is shown ---------------------------------------------------------------------------------------------------

_KINDS = (
    columns("name", "group", "category")
    | columns("count", "viewed", "lost")
    | columns("share", *(f"{name}{end}" for name in ("loss", "shrunk") for end in ("", "_low", "_high")))
    | columns("name", "verdict")
    | columns("number", "missing")
)


def _sentences(rows: Sequence[Row], mean: float, *, days: int) -> list[str]:
    viewed = formats.count(sum(row["viewed"] for row in rows))
    found = [text("products.sentence", viewed=viewed, share=formats.share(mean), days=days, window=WINDOW)]
    worst = rows[0]
    if worst["verdict"] == text("groups.above"):
        values = {"loss": formats.share(worst["loss"]), "missing": formats.count(worst["missing"])}
        found.append(text("products.worst", item=worst["group"], viewed=formats.count(worst["viewed"]), **values))
    return found


def _picture(rows: Sequence[Row], mean: float) -> Picture:
    shown = [
        {"group": row["group"], "value": row["shrunk"], "low": row["shrunk_low"], "high": row["shrunk_high"]}
        for row in rows[:_IN_PICTURE]
    ]
    x, y = Axis("value", text("products.axis"), format="~%"), Axis("group", "", "name")
    drawn = card(
        intervals(shown, x, y=y, ends=("low", "high")), level(mean, is_horizontal=False, axis=x), rows=len(shown)
    )
    return Picture(text("products.picture_title"), svg(drawn), text("products.picture"))
