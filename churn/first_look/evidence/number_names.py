"""What columns of numbers are called: those that count what users did, those that measure or name something else, and money."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from churn.first_look.evidence.names import is_keyed

# what users do, in the plural: visits, page_views, sessions_total
_DEEDS = (
    "sessions|visits|views|pageviews|clicks|hits|logins|log_ins|sign_ins|plays|streams|listens|orders|purchases|transactions|requests|calls|messages|trips|rides"
    "|bookings|reservations|events|actions|activities|opens|downloads|uploads|searches|queries|posts|comments|likes|shares|swipes|games|matches|workouts|lessons"
    "|checkins|check_ins|uses|usages|occurrences|impressions|interactions|launches|payments|tickets|deposits|bets|spins|scans|taps|replies|attempts|stops|visitas"
    "|sitzungen|besuche|aufrufe|seitenaufrufe|ansichten|klicks|anmeldungen|bestellungen|kaufe|einkaufe|zugriffe|anrufe|buchungen|fahrten|vorgange|ereignisse|aktionen|nutzungen"
    "|suchen|abrufe|visites|seances|vues|clics|connexions|commandes|achats|appels|acces|trajets|evenements|telechargements|recherches|sesiones|vistas|accesos|pedidos|compras"
    "|llamadas|conexiones|viajes|reproducciones|busquedas|inicios|eventos|acessos|sessoes|cliques|visualizacoes|chamadas|viagens|visite|sessioni|accessi|ordini|acquisti"
    "|chiamate|visualizzazioni|bezoeken|sessies|klikken|bestellingen|aankopen|inlogs|weergaven|oproepen|wizyty|wizyt|sesje|sesji|klikniecia|klikniec|zamowienia|zamowien"
    "|logowania|logowan|odslony|odslon|zakupy|zakupow|besok|kop|ordrar|visninger|visningar|besog|navstevy|objednavky|ziyaretler|oturumlar|tiklamalar|girisler|siparisler"
    "|визиты|визитов|сессии|сессий|сеансы|сеансов|посещения|посещений|просмотры|просмотров|клики|кликов|входы|входов|заказы|заказов|покупки|покупок|звонки|звонков"
    "|события|событий|поездки|поездок|действия|действий|запросы|запросов|відвідування|перегляди|покупки"
)
_DEED = "session|visit|view|click|login|hit|play|usage|activity|traffic|sitzung|besuch|seance|sesion|sessao|сессия|визит"  # that name nothing else
_DEEDS_BEHIND = (
    ".*(回数|件数|次数|횟수|건수|数|數|수|访问量|浏览量|点击量|使用量)"  # where nothing stands between words
)
_OTHERS_BEHIND = ".*(点数|日数|分数|年数|秒数|人数|个数|個数|점수|일수)"
_HOW_MANY = (
    "count|counts|cnt|num|number|nb|nbr|n|anzahl|zahl|nombre|cantidad|quantidade|qtd|qtde|numero|liczba|ilosc|aantal|sayisi|sayi|adedi|adet|количество|число|кол|кількість"
    "|antal|antall|pocet|szama|numar|broj|lukumaara|jumlah|so_lan"
)
_OF_SO_MANY = "num|number|nummer|no|nr|n|nb|numero|numer|номер"  # at the end of a name a key, as in room_no
_OF = "of|de|di|do|da|des|von"
_PIECES = (
    "item|items|article|articles|artikel|product|products|produkt|produkte|pieces|positionen|lines|line_items|units|articulos|articles|produits|productos|produtos|prodotti"
    "|товаров|товары|позиций|商品|点"
)
_NAMES = (  # numbers that name something
    f"{_PIECES}|sku|store|shop|branch|filiale|laden|kasse|terminal|merchant|vendor|seller|dealer|department|dept|abteilung|campaign|kampagne|category|categorie|kategorie"
    "|segment|tier|plan|group|region|city|country|state|zip|zipcode|postcode|postal|plz|mcc|room|zimmer|seat|gate|line|route|track|page|chapter|episode|season|question"
    "|answer|port|ip|magasin|tienda|loja|negozio|winkel|sklep|магазин|店舗|店铺|门店|매장"
)
_MEASURES = (
    r"rating|rate|score|stars|grade|mark|marks|note|level|lvl|rank|ranking|position|place|difficulty|attempt|age|alter|edad|idade|eta|weight|height|size|length|width|distance"
    r"|km|miles|meters|metres|temperature|temp|humidity|pressure|bpm|heart|lat|lon|lng|latitude|longitude|altitude|speed|power|calories|kcal|kalorien|energy|volume|dose|ml|cl|kg|mg|litres"
    r"|liters|bytes|kb|mb|gb|latency|discount|rabatt|remise|descuento|desconto|sconto|скидка|tax|vat|mwst|steuer|tva|iva|shipping|fee|fees|gebuhr|cost|costs|kosten|margin|profit|gewinn"
    r"|tip|points|punkte|puntos|pontos|punti|баллы|очки|balance|saldo|stock|inventory|percent|pct|prozent|ratio|share|quarter|weekday|dow|version|code|flag|nights|nachte|noches|nuits"
    r"|guests|gaste|persons|people|personen|adults|children|passengers|seats|rooms|days|tage|minutes|seconds|hours|xp|exp|coins|gold|gems|life|lives|health|year|income|salary|is|has|passed|won|correct|priority|odds"
    r"|оценка|возраст|рейтинг|уровень|评分|年龄|等级|评价|得分|积分|分数|評価|年齢|点数|ポイント|値引|割引|점수|나이|평점|puan|yas|wiek|ocena|rabat|leeftijd|korting|punten"
)
_SUMS = "total|totals|summe|gesamt|totale|suma|sum|jumlah|合計"
_ANY_NUMBER = f"{_SUMS}|amount|amt|value|valor"
_OF_A_TRADE = (  # words of a trade: somebody pays
    r"order\w*|debit\w*|credit|purchase\w*|paid|payment\w*|pay|charge\w*|invoice\w*|transaction\w*|trans|txn|sale|sales|sold|bought|buy|buyer|billing|checkout|receipt|basket|donat\w*|donor|deposit\w*|withdraw\w*|transfer\w*|refund\w*|topup|top_up|recharge|bet|bets|stake|wager|odds|fare|rent|tuition|premium|fee|dues|tip|discount|store|shop|merchant|mcc|filiale|laden|magasin|tienda|loja|negozio|winkel|sklep|магазин\w*|店舗|店铺|门店"
    r"|customer|cust|client|shopper|subscriber|price|revenue|currency|kunde\w*|kauf\w*|bestell\w*|rechnung\w*|zahlung\w*|buchung\w*|umsatz|spende\w*|acheteur|achat\w*|commande\w*|facture\w*"
    r"|paiement\w*|cliente?|comprador|compra\w*|pedido\w*|factura\w*|pago\w*|pagamento\w*|acquist\w*|ordine|klant\w*|bestel\w*|aankoop|klient\w*|zakup\w*|zamowien\w*|musteri\w*|siparis\w*"
    r"|клиент\w*|покуп\w*|заказ\w*|оплат\w*|顧客|購入\w*|注文\w*|决済\w*|客户\w*|顾客|购买\w*|下单\w*|订单\w*|支付\w*|고객\w*|주문\w*|결제\w*"
)
_ORDERED = (
    r"order|ordered|purchase|purchased|bought|invoice|bestell\w*|kauf\w*|rechnung\w*|commande|achat|pedido|compra|ordine|acquist\w*|besteldatum|aankoop|koop|zakup\w*|zamowien\w*|siparis"
    r"|заказ\w*|покуп\w*|購入\w*|注文\w*|购买\w*|下单\w*|订单\w*|주문\w*|구매\w*"
)
_BROWSED = (
    r"(.*_)?(view\w*|click\w*|visit\w*|play\w*|watch\w*|listen\w*|browse\w*|seen|impression\w*|search\w*|open\w*|login|hit|angesehen|aufgerufen|aufruf\w*|besuch\w*|gespielt|geklickt|consult\w*"
    r"|vue|vu|visite|visto|vista|visita|visualizad\w*|просмотр\w*|посещен\w*|閲覧\w*|再生\w*|浏览\w*|点击\w*|访问\w*|播放\w*)(_.*)?"
)


@cache
def _pattern(words: str) -> re.Pattern[str]:
    decomposed = unicodedata.normalize("NFKD", words.casefold())
    return re.compile("".join(letter for letter in decomposed if not unicodedata.combining(letter)))


def _has(words: str, name: str) -> bool:
    """Tell whether some words are among those of a name."""
    return _pattern(f"(.*_)?({words})(_.*)?").fullmatch(name) is not None


def counts_deeds(name: str) -> bool:
    """Tell whether a name says that what users did is counted.

    Examples
    --------
    >>> [counts_deeds(one) for one in ("num_sessions", "page_views", "nombre_de_visites", "session", "numero_de_accesos")]
    [True, True, True, True, True]
    >>> [counts_deeds(one) for one in ("room_no", "rating", "num_nights", "store")]
    [False, False, False, False]
    """
    if _has(_DEEDS, name) or _pattern(f"((total|daily)_)?({_DEED})(_total)?").fullmatch(name):
        return True
    if _has(_MEASURES, name) or _pattern(_OTHERS_BEHIND).fullmatch(name):
        return False
    is_key = _pattern(f"(.*_)?({_OF_SO_MANY})").fullmatch(name) is not None
    says_how_many = _has(_HOW_MANY, name) or _pattern(f"(no|nr)_({_OF})_.+").fullmatch(name) is not None
    return (says_how_many and not is_key) or _pattern(_DEEDS_BEHIND).fullmatch(name) is not None


def counts_nothing(name: str) -> bool:
    """Tell whether a name says that numbers measure or name something, and count nothing that a user did."""
    return not counts_deeds(name) and (_has(_MEASURES, name) or _has(_NAMES, name))


def is_key(name: str) -> bool:
    """Tell whether a name says that numbers are ids or codes, by a word that means nothing else or one behind a noun."""
    return is_keyed(re.sub(rf"(^|(?<=_))({_OF_SO_MANY})_", "", name))


def counts_pieces(name: str) -> bool:
    """Tell whether a name says that goods are counted, as those of an order."""
    return _has(_PIECES, name)


def is_any_number(name: str) -> bool:
    """Tell whether a name may be that of money and of any other number."""
    return _pattern(_ANY_NUMBER).fullmatch(name) is not None


def speaks_of_a_trade(names: Iterable[str]) -> bool:
    """Tell whether some name or word says that somebody pays: an order, a customer, a currency."""
    return any(_has(_OF_A_TRADE, name) for name in names)


def speaks_of_an_order(name: str) -> bool:
    """Tell whether a name, as that of a date, says that something was ordered or bought."""
    return _has(_ORDERED, name)


def is_a_sum(name: str) -> bool:
    """Tell whether a name says that something was added up, and not what."""
    return _pattern(_SUMS).fullmatch(name) is not None


def says_viewed(name: str) -> bool:
    """Tell whether the name of a time or a file says that something was viewed, played or visited, and not bought."""
    return _pattern(_BROWSED).fullmatch(name) is not None
