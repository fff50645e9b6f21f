"""Logs of which a row may stand for many events, for pieces or for none: asked where that is open, and left alone where it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.churn.first_look.awkward import Awkward, kind, lines_of_json, moment, text, user

_COUNT, _WHEN = frozenset({"count"}), frozenset({"event_time"})
_ROWS = 300


def _who(row: int) -> int:
    return row % 15


def _on(row: int) -> datetime:
    """A day that a user has no other row on, as :func:`_who` comes back every fifteen rows."""
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=(row // 15) * 6 + (row // 15 + row % 15) % 5)


def _some(row: int) -> int:
    return row * row % 7 + 1


def _days(header: str, *values: Callable[[int], object], by: int = 1) -> Callable[[Path], Path]:
    """Write a user, a day and further values: one row a user and day, or one of each of ``by`` parts."""

    def line(row: int) -> str:
        return ",".join((f"u{_who(row // by)}", f"{_on(row // by):%Y-%m-%d}", *(str(one(row)) for one in values)))

    return text("log.csv", header, line, rows=_ROWS * by)


def _repeated(header: str, *values: Callable[[int], object]) -> Callable[[Path], Path]:
    """Write a user, a day on which others of the same user are too, and further values."""

    def line(row: int) -> str:
        return ",".join((f"u{row % 7}", f"{_on(row % 30):%Y-%m-%d}", *(str(one(row)) for one in values)))

    return text("log.csv", header, line, rows=_ROWS)


def _part(row: int) -> str:
    return "abc"[row % 3]


def _euros(row: int) -> str:
    return f"{row % 90}.50"


def _counted() -> Iterator[Awkward]:
    for header in (
        *("user_id,day,num_sessions", "user_id,day,number_of_visits", "customer_no,date,no_of_logins"),
        *("id_usuario,fecha,numero_de_visitas", "id_cliente,data,num_acessos", "id_utente,giorno,numero_accessi"),
        *(
            "klient_id,dzien,liczba_wizyt",
            "kund_id,dag,antal_besok",
            "Kunde,Tag,Anzahl Sitzungen",
            "user_id,date,session",
        ),
        *("用户ID,日期,登录数", "会員番号,日付,ログイン回数", "id_клиента,дата,число_визитов", "user_id,date,total"),
    ):
        yield Awkward(f"counts of each day: {header}", _days(header, _some), asks=_COUNT)
    for header in (
        *(
            "user_id,day,platform,sessions",
            "user_id,date,page,views",
            "user_id,date,event,hits_total",
            "user_id,date,screen,foo",
        ),
        *(
            "Nutzer,Tag,Seite,Aufrufe",
            "utilisateur,jour,page,nb_vues",
            "用户ID,日期,页面,访问次数",
            "id_клиента,дата,раздел,просмотры",
        ),
    ):
        yield Awkward(f"counts of each day and more: {header}", _days(header, _part, _some, by=3), asks=_COUNT)
    for header in (
        *("user_id,date,sessions,revenue", "id_client,jour,achats,montant", "Kundennr,Tag,Bestellungen,Umsatz"),
        *("用户ID,日期,订单数,金额", "cliente,fecha,num_pedidos,importe", "klant,datum,aantal_bestellingen,bedrag"),
    ):
        yield Awkward(f"counts of each day, and money: {header}", _days(header, _some, _euros), asks=_COUNT)
    for header in (
        *(
            "Kundennr,Bestelldatum,Artikel,Anzahl",
            "klant,besteldatum,product,aantal",
            "customer_id,order_date,sku,count",
        ),
        "Kunde,Tag,Filiale,Anzahl",
    ):
        yield Awkward(f"pieces, or events: {header}", _repeated(header, _part, _some), asks=_COUNT)


def _plain() -> Iterator[Awkward]:
    """Logs with a number that counts no events, in which nothing is open."""
    for header in (
        *(
            "customer_id,order_date,amount,items",
            "customer_id,date,amount,discount",
            "Kunde,Bestelldatum,Betrag,Rabatt",
        ),
        *("id_client,date_achat,montant,remise", "会員番号,購入日,金額,点数", "Клиент,Дата,Сумма,Скидка"),
    ):
        yield Awkward(
            f"orders: {header}", _days(header, _euros, _some), {"event_type": "'purchase'"}, without=("count",)
        )
    for header in (
        *(
            "user_id,date,event,rating",
            "student_id,date,activity,score",
            "player_id,date,event,level",
            "user_id,date,event,mcc",
        ),
        *("guest_id,date,event,nights", "member_id,date,event,attempt", "Nutzer,Tag,Ereignis,Alter"),
    ):
        yield Awkward(f"events of a day: {header}", _days(header, kind, _some, by=2), without=("count",))
        yield Awkward(f"events of a day, some alike: {header}", _repeated(header, kind, _some), without=("count",))
    yield Awkward(
        "numbers that have no known name, of events of which some are alike",
        _repeated("user_id,date,event,foo", kind, _some),
        {"event_type": "event"},
        without=("count",),
    )
    yield Awkward(
        "orders with numbers of their own",
        _days("customer_id,date,order_no,foo", lambda row: 1000 + row, _some),
        without=("count",),
    )
    yield Awkward(
        "counts of types",
        _repeated("Kunde,Tag,Ereignis,Anzahl", kind, _some),
        {"count": "Anzahl", "event_type": "Ereignis"},
    )
    yield Awkward(
        "the orders of each customer, numbered",
        text(
            "log.csv",
            "customer_id,order_date,n",
            lambda row: f"c{_who(row)},{_on(row):%Y-%m-%d},{row // 15 + 1}",
            rows=_ROWS,
        ),
        without=("count",),
        notes="not read: n",
    )


def _money() -> Iterator[Awkward]:
    for time in ("viewed_at", "clicked_at", "visit_time", "vue_le", "просмотрено"):
        yield Awkward(
            f"prices of what was viewed, by {time}",
            text(
                "log.csv",
                f"user_id,{time},product_id,price",
                lambda row: f"u{user(row)},{moment(row):%F %T},p{row % 7},{row}.99",
            ),
            {"event_type": "'event'"},
            without=("amount",),
            notes="only viewed",
        )
    for header in (
        "user_id,time,drink,amount",
        "player_id,played_at,level,total",
        "Nutzer,Zeit,Spiel,Summe",
        "usuario,fecha,juego,total",
    ):
        yield Awkward(
            f"any number: {header}",
            text("log.csv", header, lambda row: f"u{user(row)},{moment(row):%F %T},{'xy'[row % 2]},{250 + row}"),
            {"event_type": "'event'"},
            without=("amount",),
            notes="may be money or any other number",
        )
    for header, value in (
        *(
            ("customer_id,date,store,amount", "a"),
            ("user_id,payment_date,plan,amount", "pro"),
            ("user_id,date,currency,amount", "JPY"),
        ),
        *(
            ("user_id,time,what,amount", "purchase"),
            ("donor_id,date,campaign,amount", "x"),
            ("客户,时间,门店,金额", "x"),
        ),
    ):
        yield Awkward(
            f"whole money: {header}",
            text(
                "log.csv",
                header,
                lambda row, value=value: f"u{user(row)},{moment(row):%F %T},{value}{row % 2},{250 + row}",
            ),
            {"amount": header.rpartition(",")[2]},
        )
    yield Awkward(
        "whole money in a file of payments",
        text("payments.csv", "user_id,time,amount", lambda row: f"u{user(row)},{moment(row):%F %T},{250 + row}"),
        {"amount": "amount", "event_type": "'purchase'"},
    )


def _last() -> Iterator[Awkward]:
    for header in (
        *(
            "customer_id,category,last_purchase_date",
            "customer_id,address,last_order_date",
            "Kunde,Sparte,letzter_Kauf",
        ),
        *(
            "client,rayon,dernière_commande",
            "cliente,rubro,última_compra",
            "Клиент,Раздел,последний_заказ",
            "会員番号,分類,最終購入日",
        ),
        *("musteri_no,kategori,son_siparis_tarihi", "customer_id,category,first_order_date"),
    ):
        yield Awkward(
            f"a row for each user and part: {header}",
            text(
                "log.csv",
                header,
                lambda row: f"c{row // 4},{'abcd'[row % 4]},{moment(row * 7 % 90):%Y-%m-%d}",
                rows=120,
            ),
            asks=_WHEN,
        )


def _layouts() -> Iterator[Awkward]:
    def line(row: int) -> str:
        what = ("pv", "buy", "cart", "fav")[row % 4]
        return f"{user(row)},{row % 7},3,{what},{int((moment(row) + timedelta(days=400)).timestamp())}"

    yield Awkward(
        "the columns of a public data set, of another year",
        text("log.csv", "user_id,item_id,category_id,behavior_type,timestamp", line),
        {"user_id": "user_id", "event_time": "timestamp", "event_type": "behavior_type"},
        without=("covered_from", "covered_until"),
    )
    yield Awkward(
        "the same without a header", text("log.csv", "", line), asks=frozenset({"user_id"}), without=("covered_until",)
    )
    yield Awkward(
        "the orders of a shop, with the day before the month",
        text(
            "log.csv",
            "Name,Email,Created at,Lineitem quantity,Total",
            lambda row: f"#{row},u{user(row)}@x.de,{moment(row):%d/%m/%Y %H:%M},1,{row}.50",
        ),
        {"event_time": "strptime(\"Created at\", '%d/%m/%Y %H:%M')", "amount": "Total"},
    )
    yield Awkward(
        "counts that came twice",
        text(
            "log.csv",
            "user_id,time,event,n_events",
            lambda row: f"u{user(row % 80)},{moment(row % 80):%F %H:00},{kind(row % 80)},{1 + row % 80 % 3}",
        ),
        {"count": "n_events"},
        notes="10 rows are the same as another",
    )


def _of_moments() -> Iterator[Awkward]:
    """Numbers that are named as counts, in rows that have times of their own or of which the number is no count."""
    for header in (
        *("user_id,timestamp,type,count", "user_id,timestamp,event,frequency", "customer_id,timestamp,meter,events"),
        *("kunde,zeitpunkt,ereignis,anzahl", "player_id,time,map,hits"),
    ):
        yield Awkward(
            f"a number of one moment: {header}",
            text("log.csv", header, lambda row: f"u{user(row)},{moment(row):%F %T},{kind(row)},{row * row % 7}"),
            asks=_COUNT,
        )
    yield Awkward("hits of a day", _repeated("user_id,date,event,hits", kind, _some), asks=_COUNT)
    yield Awkward(
        "a total of all events so far",
        _days("user_id,date,meter,events", lambda _: "api", lambda row: 1000 + 10 * (row // 15)),
        asks=_COUNT,
    )
    for name in ("cart", "payload"):
        yield Awkward(
            f"the count of a {name}",
            lines_of_json(
                lambda row, name=name: {
                    "user_id": f"u{user(row)}",
                    "ts": f"{moment(row):%F %T}",
                    "event": kind(row),
                    name: {"count": row % 4},
                }
            ),
            {"event_type": "event"},
            without=("count", "where"),
            notes=f"not read: {name}.count",
        )


COUNTED = (*_counted(), *_of_moments(), *_plain(), *_money(), *_last(), *_layouts())
