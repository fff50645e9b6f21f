"""Logs whose numbers, words and marks have a second reading: it is asked about, noted, or left as a commented line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.churn.first_look.awkward import USUAL, Awkward, kind, moment, text, user


def _shop(name: str, header: str, line: Callable[[int], str]) -> Callable[[Path], Path]:
    """Write rows of a customer and a day, with further fields."""
    mark = ";" if ";" in header else ","
    return text(
        name, header, lambda row: mark.join((f"c{user(row)}", f"{moment(row):%Y-%m-%d}", line(row))), encoding="utf-8"
    )


NUMBERS = (
    # --- Counts and money --------------------------------------------------------------------------------------------
    Awkward(
        "Dutch pieces are no events",
        _shop("log.csv", "klant_id;besteldatum;aantal;bedrag", lambda row: f"{1 + row % 4};{row},50"),
        {"user_id": "klant_id", "amount": "bedrag", "event_type": "'purchase'"},
        without=("count",),
        notes="aantal is not mapped as a count",
    ),
    Awkward(
        "German pieces are no events",
        _shop(
            "log.csv", "kunden_nr;bestelldatum;artikel;anzahl;betrag", lambda row: f"a{row % 7};{1 + row % 4};{row},50"
        ),
        {"user_id": "kunden_nr", "amount": "betrag"},
        without=("count",),
        notes="anzahl is not mapped as a count",
    ),
    Awkward(
        "a count of events next to money",
        _shop("log.csv", "user_id,date,n_events,amount", lambda row: f"{1 + row % 4},{row}.50"),
        {"count": "n_events", "amount": "amount"},
    ),
    Awkward(
        "a row number is no count",
        _shop("log.csv", "user_id,date,event,n", lambda row: f"{kind(row)},{row + 1}"),
        {"event_type": "event"},
        without=("count",),
    ),
    Awkward(
        "the total of an order on each of its lines",
        _shop(
            "log.csv",
            "customer_id,order_date,order_id,sku,order_total",
            lambda row: f"o{row // 3},s{row},{row // 3}.50",
        ),
        without=("amount",),
        notes="count an order several times",
    ),
    Awkward(
        "amounts of the lines of an order",
        _shop("log.csv", "customer_id,order_date,order_id,sku,amount", lambda row: f"o{row // 3},s{row},{row}.50"),
        {"amount": "amount"},
    ),
    Awkward(
        "a price in rows of all types",
        _shop(
            "log.csv",
            "user_id,date,event_type,price",
            lambda row: f"{('view', 'cart', 'purchase')[row % 3]},{row + 1}.50",
        ),
        {"amount": "case when event_type = 'purchase' then price end"},
    ),
    Awkward(
        "a price in rows of all types, and no purchase among them",
        _shop("log.csv", "user_id,date,event_type,price", lambda row: f"{('view', 'cart', 'x')[row % 3]},{row + 1}.50"),
        without=("amount",),
        notes="no type is plainly the purchase",
    ),
    Awkward(
        "several currencies",
        _shop("log.csv", "customer_id,date,amount,currency", lambda row: f"{row}.50,{('EUR', 'USD')[row % 2]}"),
        {"amount": "amount"},
        notes="2 currencies",
    ),
    Awkward(
        "the price of one and no quantity",
        _shop("log.csv", "customer_id,date,unit_price", lambda row: f"{row}.50"),
        {"amount": "unit_price"},
        notes="is the price of one",
    ),
    Awkward(
        "an Italian quantity",
        _shop("log.csv", "cliente,data,quantità,prezzo_unitario", lambda row: f"{1 + row % 3},{row}.50"),
        {"amount": "quantità * prezzo_unitario"},
    ),
    Awkward(
        "euros behind a decimal comma",
        _shop("log.csv", "customer_id;date;amount", lambda row: f"1.{100 + row},50 €"),
        without=("amount",),
        notes="not plain numbers",
    ),
    Awkward(
        "values of a sensor",
        text("log.csv", "user_id,date,event,value", lambda row: f"c{user(row)},{moment(row):%Y-%m-%d},read,{row}.5"),
        without=("amount",),
        notes="value may be money or any other number",
    ),
    Awkward(
        "values of purchases",
        text(
            "log.csv",
            "user_id,date,event,value",
            lambda row: f"c{user(row)},{moment(row):%Y-%m-%d},{('read', 'purchase')[row % 2]},{row}.5",
        ),
        {"amount": "value"},
    ),
    # --- Words of other trades ---------------------------------------------------------------------------------------
    Awkward(
        "a shop of shoes",
        _shop(
            "log.csv",
            "customer_id,order_date,model,carrier,version,amount,video_length_seconds",
            lambda row: (
                f"{('Boot', 'Shoe')[row % 2]},{('DHL', 'UPS')[row % 2]},{('blue', 'red')[row % 2]},{row}.50,{row}"
            ),
        ),
        {"amount": "amount"},
        without=("device_model", "network", "app_version", "duration_seconds"),
    ),
    Awkward(
        "devices, versions and networks by their values",
        _shop(
            "log.csv",
            "user_id,date,event,model,carrier,version",
            lambda row: f"{kind(row)},Pixel {row % 3},Vodafone,1.{row % 3}",
        ),
        {"device_model": "model", "network": "carrier", "app_version": "version"},
    ),
    Awkward(
        "how long ago the last visit was",
        _shop("log.csv", "user_id,date,event,seconds_since_last_visit", lambda row: f"{kind(row)},{row}"),
        without=("duration_seconds",),
    ),
    Awkward(
        "a type of customers",
        text(
            "log.csv",
            "customer_id,date,type",
            lambda row: f"c{row % 12},{moment(row):%Y-%m-%d},{('B2B', 'B2C')[row % 2]}",
        ),
        {"event_type": "'event'"},
        notes="type is not mapped",
    ),
    # --- Times -------------------------------------------------------------------------------------------------------
    Awkward(
        "one day above 12 may be an error",
        text(
            "log.csv",
            "user_id,date,event_type",
            lambda row: (
                f"u{user(row)},{'05/17' if row == 7 else f'{1 + row % 12:02}/{1 + row % 11:02}'}/2024,{kind(row)}"
            ),
            rows=900,
        ),
        asks=frozenset({"date_order"}),
    ),
    Awkward(
        "offsets on half of the times",
        text(
            "log.csv",
            "user_id,event_time,event_type",
            lambda row: f"u{user(row)},{moment(row):%Y-%m-%dT%H:%M:%S}{('', '+09:00')[row % 2]},{kind(row)}",
        ),
        USUAL,
        notes="50 % of the times say their zone",
    ),
    Awkward(
        "ids that could be epochs",
        text(
            "log.csv",
            "post_id,user_id,event_time,event_type",
            lambda row: (
                f"{1_700_000_000_000_000_000 + row * 10**12},u{user(row)},{moment(row):%Y-%m-%d %H:%M:%S},{kind(row)}"
            ),
        ),
        USUAL,
    ),
    # --- Files -------------------------------------------------------------------------------------------------------
    Awkward(
        "lines that break inside quotes",
        text(
            "log.csv",
            "user_id,comment,event_time,event_type",
            lambda row: f'u{user(row)},"one\ntwo, ""three""\n",{moment(row):%Y-%m-%d %H:%M:%S},{kind(row)}',
        ),
        USUAL,
        without=("skip",),
    ),
    Awkward(
        "a quote that encloses nothing",
        text(
            "log.csv",
            "user_id,size,event_time,event_type",
            lambda row: f'u{user(row)},{row}",{moment(row):%Y-%m-%d %H:%M:%S},{kind(row)}',
        ),
        USUAL,
        without=("skip", "names"),
    ),
    Awkward(
        "as many commas as semicolons",
        text(
            "log.csv", "klient, imię;data;kwota, zł", lambda row: f"A{user(row)}, Jan;{moment(row):%Y-%m-%d};{row},50"
        ),
        asks=frozenset({"user_id"}),
        settings={"delimiter": ";"},
    ),
    Awkward(
        "files that were put together with their headers",
        text(
            "log.csv",
            "user_id,event_time,event_type",
            lambda row: (
                "user_id,event_time,event_type"
                if row == 50
                else f"u{user(row)},{moment(row):%Y-%m-%d %H:%M:%S},{kind(row)}"
            ),
        ),
        USUAL,
        notes="1 rows repeat the header",
    ),
)
