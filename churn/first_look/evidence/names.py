"""What columns are called in several languages. A name supports what the values say; it never decides alone."""

from __future__ import annotations

import re
import unicodedata
from functools import cache


def normal(name: str) -> str:
    """Spell a name as the vocabulary does: the last part of a path, in lower case, words joined by underscores, without accents.

    Examples
    --------
    >>> normal("properties.$distinct_id"), normal("dateHourMinute"), normal("Créé le"), normal("User ID")
    ('distinct_id', 'date_hour_minute', 'cree_le', 'user_id')
    """
    *_, before, last = ("", *name.split(".")) if not name.endswith(".") else ("", "", name)
    text = f"{before}.{last}" if last.casefold() in ("id", "name", "time", "type") else last
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text)
    return "_".join(re.findall(r"[^\W_]+", _plain(text)))


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold().replace("ß", "ss"))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


# a word that comes before or after a noun, as in customer_no, id_cliente, 用户编号
_KEY = (
    "id|ids|no|nr|num|number|nummer|key|code|uuid|guid|hash|ref|sk|kennung|identifiant|identificador|numero|codigo|номер|код|ид"
    "|番号|コード|编号|編號|代码|号|pseudo_id|identifier|codice|cod|رقم|identyfikator|numer|ід|מזהה|sifra|matricola|번호|아이디|ma|kodu|numarasi|unique_id"
)
_OF = "de|du|da|do|del|des|la|le|of"
_PERSON = (
    "athlete|runner|respondent|guest|borrower|cardholder|attendee|caller|applicant|pupil|trainee|bettor|gambler|user|usr|customer|cust|client|member|subscriber|player|visitor|buyer|shopper|patient|learner|student|rider|passenger|donor"
    "|listener|reader|viewer|person|uid|distinct|full_visitor|msno|idfv|amplitude|cookie_user"
    "|kunde|kunden|nutzer|benutzer|mitglied|mitglieds|besucher|anwender|kaufer|teilnehmer|spieler|versicherter"
    "|utilisateur|usager|abonne|membre|adherent|acheteur|visiteur|client_e|joueur"
    "|usuario|cliente|socio|miembro|comprador|abonado|suscriptor|jugador|visitante|usuaria|membro|assinante|utilizador|jogador"
    "|пользователь|пользователя|клиент|клиента|покупатель|покупателя|абонент|абонента|игрок|игрока|участник|посетитель|посетителя"
    "|ユーザー|ユーザ|顧客|会員|お客様|利用者|購入者|プレイヤー|用户|用戶|客户|客戶|会员|會員|顾客|买家|買家|玩家|访客"
    "|utente|klant|gebruiker|klient|uzytkownik|kullanici|musteri|사용자|고객|회원|유저|kund|anvandare|bruker|bruger|kayttaja|asiakas|klienta|uzytkownika|nabywca|utenti|iscritto|acquirente|deelnemer|abonnee|medlem|zakaznik|zakaznika|uzivatel"
    "|користувач|користувача|клієнта|клієнт|покупець|покупця|kupac|kupca|korisnik|korisnika|utilizator|ugyfel|vasarlo|felhasznalo|uye|abone|pelanggan|pengguna|khach_hang|πελατης|πελατη|χρηστης|χρηστη|العميل|عميل|المستخدم|مستخدم|לקוח|משתמש"
)
_CONTACT = (
    "email|e_mail|mail|email_address|e_mail_adresse|mail_address|correo|correo_electronico|courriel|почта|эл_почта|requester_email|customer_email|user_email|client_email|メール"
    "|メールアドレス|邮箱|电子邮件|phone|phone_number|mobile|telefon|telephone|telefono|телефон|電話番号|手机|手机号"
    "|username|user_name|login|nickname|customer_name|kundenname|msisdn"
)
_DEVICE = (
    "device|anonymous|cookie|install|installation|idfa|aaid|gaid|advertising|browser|domain_user|user_pseudo|hardware|gerate|gerat|appareil|dispositivo"
    "|aparelho|устройство|устройства|端末|デバイス|设备|設備|기기|cihaz|urzadzenie|urzadzenia|apparaat"
)
_GROUP = (
    "account|acct|company|org|organization|organisation|tenant|workspace|household|team|konto|firma|compte|cuenta|conta|счет|аккаунт|アカウント|账号|账户|帐号"
    "|帳號|帳戶|계정|hesap"
)

_EVENT_TIMES = (
    "event_time|event_timestamp|event_date|event_datetime|event_at|event_ts|timestamp|time_stamp|ts|time|datetime|date_time|date|day|at|when"
    "|occurred_at|occurred|happened_at|occurred_on|date_hour_minute|date_hour|derived_tstamp|unix_time|epoch|epoch_ms|time_ms|timestamp_ms"
    "|timestamp_us|unixtime|utc|t|dt|created_at|created|creation_time|create_time|order_date|order_time|ordered_at|invoice_date"
    "|purchase_date|purchase_time|purchased_at|purchase_timestamp|order_purchase_timestamp|transaction_date|transaction_time|transaction_dt"
    "|trans_date|tx_date|payment_date|sale_date|visit_date|visit_time|login_time|view_time|watched_at|played_at|action_time|activity_date"
    "|activity_time|log_time|log_date|logged_at|start_time|started_at|session_start|week|month|hit_time|click_time|created_utc|server_timestamp"
    "|zeit|zeitpunkt|zeitstempel|datum|datum_uhrzeit|tag|am|bestelldatum|bestellt_am|kaufdatum|rechnungsdatum|buchungsdatum|ereigniszeit"
    "|ereignis_zeit|besuchszeit|erstellt_am|auftragsdatum|horodatage|horodate|date_heure|date_evenement|heure_evenement|instant|date_commande"
    "|date_de_commande|date_achat|date_d_achat|cree_le|jour|moment|fecha|fecha_hora|fecha_y_hora|fecha_evento|fecha_pedido|fecha_compra"
    "|fecha_de_compra|fecha_de_pedido|momento|creado_en|marca_de_tiempo|hora_evento|data|data_hora|data_e_hora|data_evento|data_do_evento"
    "|data_pedido|data_do_pedido|data_compra|data_da_compra|carimbo_de_data|criado_em|instante|quando|время|дата|дата_время|дата_и_время"
    "|время_события|дата_события|дата_заказа|дата_покупки|дата_создания|момент|метка_времени|日時|時刻|日付|発生日時|発生時刻|注文日|注文日時"
    "|購入日|購入日時|イベント日時|イベント時刻|タイムスタンプ|作成日時|利用日|利用日時|时间|日期|时间戳|事件时间|行为时间|下单时间|购买时间|创建时间|发生时间|订单日期|操作时间"
    "|tijdstip|besteldatum|orario|tarih|zaman|czas|czas_zdarzenia|data_zamowienia|data_zakupu|data_ordine|data_acquisto|data_e_ora|giorno|islem_tarihi|siparis_tarihi|tarih_saat|kopdatum|orderdatum"
    "|dato|ordredato|paivamaara|datum_objednavky|cas|idopont|datum_es_ido|tanggal|waktu|ngay|thoi_gian|data_comenzii|дата_події|дата_замовлення|дата_покупки|datum_kupnje|datum_kupovine|datum_narudzbe|aika|ημερομηνια|التاريخ|تاريخ|تاريخ_الطلب|الوقت|תאריך|זמן"
    "|결제일시|주문일시|주문일|구매일시|구매일|일시|날짜|시간|타임스탬프"
)
_OTHER_TIMES = (
    r"(.*_)?(update|updated|modif\w*|edited|change|changed|ship|shipped|shipping|deliver\w*|dispatch\w*|fulfil\w*|due|expir\w*|end|ended|closed|close|birth\w*"
    r"|dob|signup|sign_up|signed_up|regist\w*|joined|join|first_seen|first_visit|last_seen|last_login|last_visit|valid|renewal|cancel\w*|refund\w*"
    r"|geburts\w*|liefer\w*|versand\w*|geandert\w*|fallig\w*|storn\w*|anmelde\w*|livraison|naissance|inscription|maj|modificacion|entrega|nacimiento"
    r"|envio|nascimento|cadastro|registro|рождения|доставки|регистрации|изменения|обновления|誕生日|生年月日|更新日時|更新日|配送日|登録日|出生日期|更新时间|注册时间|发货时间|到期\w*"
    r"|paid|approved|estimated|urodz\w*|rejestrac\w*|dostaw\w*|nascita|consegna|iscrizione|geboorte\w*|inschrijf\w*|dogum\w*|kayit|teslim\w*"
    r"|last|latest|first|previous|prev|next|letzt\w*|erst(e|er|es|en)|dernier\w*|premi(er|ere|ers|eres)|ultim[oa]s?|primer[oa]?|primeir[oa]|prim[oa]|laatste|eerste|ostatni\w*"
    r"|pierwsz\w*|последн\w*|перв\w*|останн\w*|senaste|siste|sidste|viimei\w*|posledni\w*|utolso|son|ilk|最終\w*|最後\w*|最近\w*|最后\w*|初回\w*|首次\w*|마지막\w*|최근\w*)(_.*)?"
)
_INGESTED = (
    r"(.*_)?(ingest\w*|received|receive|server|upload\w*|loaded|load|processed|processing|process|etl|synced|sync|collector|arrived|arrival|inserted|import\w*"
    r"|recorded|eingang\w*|empfangen\w*|importiert\w*|recu|reception|recepcion|recibido|recebido|получено|поступления|загрузки|受信日時|取込日時|受信時刻|接收时间|入库时间)(_.*)?"
)
_DATES_AND_CLOCKS = (  # the words of a date or a time of day that do not say of what
    "date|day|datum|data|fecha|tag|jour|dia|дата|at|on|am|tarih|tarihi|time|uhrzeit|hora|heure|hour|zeit|tijd|ora|saat|godzina|clock|horaire"
    "|время|час|日付|日|日期|時刻|時間|时间|날짜|시간|시각|일자|the|horario|orario|klo|klokke|klokkeslett|tid|tidpunkt|cas|ido|jam|gio|data|datu|dato|година"
    "|ωρα|ημερομηνια|التاريخ|تاريخ|الوقت|الساعة|תאריך|שעה|vrijeme|vreme|giorno|dzien|gun|päivä|päivämäärä"
)
_ENDINGS = "(日付|日期|日|時刻|時間|时间|날짜|일자|시간|시각)$"  # of the same words where nothing stands between them
_PARTS_OF_DATES = {
    "year": "year|yr|jahr|annee|ano|anno|jaar|rok|yil|год|年|년",
    "month": "month|mon|mth|monat|mois|mes|mese|maand|miesiac|ay|месяц|月|월",
    "day": "day|day_of_month|tag|jour|dia|giorno|dag|dzien|gun|день|日|일",
    "hour": "hour|hr|stunde|heure|hora|ora|uur|godzina|saat|час|時|时",
}
_OF_GOODS = (  # of _INGESTED: what a parcel, too, can be
    r"(.*_)?(received|receive|processed|processing|process|arrived|arrival|eingang\w*|empfangen\w*|recu|reception|recepcion|recibido|recebido|получено|поступления"
    r"|接收时间|入库时间)(_.*)?"
)
_TYPES = (  # the first that a log has is its type
    "event_name|event_type|ereignis|ereignisname|evenement|nom_evenement|evento|nombre_evento|nome_evento|событие|название_события|イベント|イベント名|事件|事件名称|事件名|이벤트|zdarzenie|handelse|esemeny|olay|udalost|подія|tapahtuma|eveniment|dogadaj|gebeurtenis|이벤트명",
    "event|ereignistyp|ereignis_typ|ereignisart|type_evenement|tipo_evento|tipo_de_evento|тип_события|イベント種別|イベントタイプ|事件类型",
    "action|activity|activity_type|action_type|behavior|behaviour|behavior_type|verb|aktion|aktivitat|vorgang|activite|accion|acao|действие|行動|アクション|行动|行为|行为类型|操作|操作类型|動作",
    "type|kind|typ|art|was|tipo|тип|種別|種類|类型|actie|eylem|akcja|дія|what",
)
_STATUS = "status|order_status|financial_status|zustand|statut|estado|situacao|статус|状態|ステータス|状态|订单状态|payment_status|fulfillment_status|zahlungsstatus|bestellstatus"
_OTHERS = {
    "session_id": "session|session_id|sessionid|visit|visit_id|ga_session_id|sid|domain_sessionid|sitzung|sitzungs_id|sitzung_id|seance|id_seance|session_uuid"
    "|sesion|id_sesion|sesion_id|sessao|id_sessao|sessao_id|сессия|ид_сессии|id_сессии|セッション|セッションid|会话|会话id|visita|id_session|besuch",
    "device_os": "device_os|os|os_name|operating_system|platform|betriebssystem|plattform|systeme|plateforme|sistema_operativo|plataforma|sistema_operacional"
    "|платформа|ос|операционная_система|プラットフォーム|平台|操作系统|os_family",
    "device_model": "device|device_model|device_type|device_category|model|dvce_type|gerat|geratetyp|appareil|dispositivo|aparelho|устройство|端末|デバイス|设备|设备型号",
    "app_version": "app_version|version|appversion|app_ver|build|version_name|client_version|アプリバージョン|版本|версия|versao",
    "network": "network|network_type|connection_type|carrier|netzwerk|reseau|red|rede|сеть|网络|ネットワーク",
    "channel": "channel|acquisition_channel|marketing_channel|utm_source|source|traffic_source|acquisition_source|kanal|canal|canal_adquisicion|register_type"
    "|канал|источник|チャネル|流入元|渠道|来源|referrer_type|medium",
}
_COUNTS = (
    "count|counts|n|cnt|event_count|events|num_events|hits|n_events|number_of_events|times|anzahl|ereignisse|nombre|nb|nb_evenements|cantidad_eventos"
    "|conteo|contagem|количество_событий|число|occurrences|frequency|回数|件数|次数|数量_事件|aantal"
)
_COUNTS_OF_EVENTS = (  # the others may count pieces, where a row has money
    "event_count|events|num_events|n_events|number_of_events|ereignisse|nb_evenements|cantidad_eventos|количество_событий|数量_事件"
)
_MAY_BE_COUNTS = "hits|frequency|times"  # of events, or of a game, a radio, a product
_TOTALS = (
    "amount|total|total_amount|grand_total|order_total|revenue|total_price|total_value|sales|spend|paid_amount|payment_amount|payment_value|purchase_amount"
    "|order_value|amount_paid|transaction_amount|trans_amount|net_amount|dollars|usd|eur|value|umsatz|betrag|summe|gesamtbetrag|gesamt|rechnungsbetrag|bestellwert"
    "|montant|montant_total|total_ttc|chiffre_affaires|importe|importe_total|monto|monto_total|valor|valor_total|montante|сумма|сумма_заказа|выручка|金額|売上"
    "|合計|合計金額|購入金額|注文金額|金额|总金额|销售额|订单金额|支付金额|实付金额|importo|bedrag|kwota|tutar|nettobetrag|bruttobetrag|amt|tran_amt|trans_amt|txn_amount|сумма_операции|vl_total|importo_totale|belopp|beløb|belob|suma|сума|iznos|castka|osszeg|ποσο|so_tien|jumlah|결제금액|주문금액|المبلغ|סכום"
)
_PRICES = (
    "price|unit_price|preis|einzelpreis|stuckpreis|prix|prix_unitaire|precio|precio_unitario|preco|preco_unitario|цена|価格|単価|价格|单价|prezzo|prezzo_unitario"
    "|prijs|stuksprijs|eenheidsprijs|cena|cena_jednostkowa|fiyat|birim_fiyat"
)
_QUANTITIES = (
    "quantity|qty|units|menge|stuckzahl|stuck|quantite|qte|cantidad|quantidade|количество|数量|購入数量|quantita|pieces|pcs|stuks|ilosc|adet"
    "|anzahl|aantal"
)
_ORDERS = (
    "order|bestellung|bestell|auftrag|auftrags|rechnung|rechnungs|invoice|commande|facture|pedido|factura|ordine|bestelling|order_reference"
    "|zamowienie|siparis|заказ|заказа|注文|订单|transaction|receipt|basket"
)
_CURRENCIES = "currency|currency_code|wahrung|devise|moneda|moeda|валюта|通貨|币种|货币|valuta|waluta|para_birimi|통화"
_PURCHASE = re.compile(
    r"(.*[\W_])?(purchase|purchased|buy|bought|order|ordered|order_completed|checkout_completed|sale|kauf|gekauft|bestellung|achat|commande"
    r"|compra|pedido|acquisto|ordine|aankoop|zakup|покупка|заказ|購入|注文|购买|下单|구매)",
    re.IGNORECASE,
)
_BROWSING = re.compile(
    r"(.*[\W_])?(view\w*|click\w*|cart|add_?to_?cart|search\w*|browse\w*|visit\w*|impression|wishlist|favou?rite|ansicht|klick|warenkorb"
    r"|vue|panier|vista|clic|carrito|carrinho|просмотр|корзина|閲覧|浏览|加购|收藏)([\W_].*)?",
    re.IGNORECASE,
)
_NO_DURATION = re.compile(
    r"(.*_)?(since|ago|until|left|remaining|(video|track|song|content|movie|film|clip|media|audio|episode|item)_(length|duration|dur)"
    r"|timeout|latency|delay|age|ttl|offset|(response|load|request|render|wait)_time|expected|planned|scheduled)(_.*)?"
)
_CENTS = r"(.*_)?(cents|cent|minor|pence|kopeken|centimes|centavos)(_.*)?"
_DURATIONS = (
    r"(.*_)?(duration|dur|dwell|watch_time|play_time|listen_time|time_spent|engagement_time|elapsed|session_length|total_secs|dauer|verweildauer|duree|duracion|duracao"
    r"|длительность|продолжительность|再生時間|滞在時間|利用時間|时长|停留时间|seconds|secs)(_.*)?"
)
_UNITS = {  # of a duration, by the words of its name: how many of them are a second
    1000.0: r"(.*_)?(ms|msec|msecs|millis|milliseconds|millisekunden|millisecondes|milisegundos|毫秒|мс)(_.*)?",
    1.0: r"(.*_)?(s|sec|secs|second|seconds|sek|sekunden|secondes|segundos|秒|секунд|секунды|сек)(_.*)?|.*(秒)",
    1 / 60: r"(.*_)?(min|mins|minute|minutes|minuten|minutos|минут|минуты|мин)(_.*)?|.*(分)",
}
_EVENT_IDS = (
    r"event_id|event_uuid|message_id|insert_id|event_guid|eventid|msg_id|log_id|hit_id|record_uuid|ereignis_id|id_evenement|id_evento|evento_id|イベントid|事件id|ид_события|id_события"
    "|イベント番号|事件编号|事件編號|이벤트id|이벤트_id|이벤트번호|이벤트_번호|이벤트아이디|olay_id|olay_no|olay_kimligi|id_zdarzenia|zdarzenie_id|numer_zdarzenia|gebeurtenis_id"
    "|handelse_id|id_udalosti|id_eveniment|messageid|insertid"
)
_CANCELLED = re.compile(
    r"(.*[\W_])?(cancel\w*|failed|declined|denied|rejected|void|expired|unpaid|abgelehnt|fehlgeschlagen|refuse\w*|rechazad\w*|отклон\w*|storn\w*|annul\w*|refund\w*|voided|returns?|returned|charge[ _]?backs?|reversal|reversed|credit[ _]?note|gutschrift\w*|iade|zwrot\w*|reso|avoir|r[uü]cksend\w*|r[uü]ckgabe\w*|retour\w*|widerruf\w*|erstatt\w*|rembours\w*|devol\w*|devuelt\w*|reembols\w*|anulad\w*"
    r"|отмен\w*|возвра\w*)([\W_].*)?|.*(キャンセル|失敗|失败|取消|返品|返金|退款|退货|退貨).*",
    re.IGNORECASE,
)


@cache
def _pattern(words: str, *, is_key: bool = False) -> re.Pattern[str]:
    plain = "|".join(sorted({_plain(word) for word in words.split("|")}, key=len, reverse=True))
    if not is_key:
        return re.compile(plain)
    key = _plain(_KEY)
    return re.compile(f"(({key})_(({_OF})_)?)?({plain})(_?({key}))?")


PERSON, CONTACT, DEVICE, GROUP = range(4)  # how well a name says who did it, the best first


def person_rank(name: str) -> int | None:
    """Tell how well a name says that a column identifies who did it: 0 a person, 1 a contact, 2 a device, 3 a group; None: it does not."""
    ranks = ((_PERSON, True), (_CONTACT, False), (_DEVICE, True), (_GROUP, True))
    found = (rank for rank, (words, is_key) in enumerate(ranks) if _pattern(words, is_key=is_key).fullmatch(name))
    rank = next(found, None)
    return None if rank == DEVICE and _pattern(_DEVICE).fullmatch(name) else rank


def is_keyed(name: str) -> bool:
    """Tell whether a name says that it is an id, a number or a code."""
    return re.search(rf"(^|_)({_plain(_KEY)})(_|$)", name) is not None


def is_event_time(name: str) -> bool:
    """Tell whether a name says when it happened."""
    return _pattern(_EVENT_TIMES).fullmatch(name) is not None


def is_other_time(name: str) -> bool:
    """Tell whether a name says when something else happened: a delivery, a birth, a change."""
    return is_spelled(_OTHER_TIMES, name)


def is_arrival(name: str) -> bool:
    """Tell whether a name says when the row became known."""
    return is_spelled(_INGESTED, name)


def may_be_of_goods(name: str) -> bool:
    """Tell whether the name of an arrival can be that of goods, and not of a row."""
    return is_spelled(_OF_GOODS, name)


def part_of_date(name: str) -> str | None:
    """Return ``year``, ``month``, ``day`` or ``hour``, where a name says one of them."""
    return next((part for part, words in _PARTS_OF_DATES.items() if _pattern(words).fullmatch(name)), None)


def words_beside_time(name: str) -> frozenset[str]:
    """Return of what a date or a time of day is, by its name.

    Examples
    --------
    >>> sorted(words_beside_time("order_date")), sorted(words_beside_time("time_of_day"))
    (['order'], [])
    """
    known = {*_plain(f"{_DATES_AND_CLOCKS}|{_OF}").split("|")}
    return frozenset(re.sub(_plain(_ENDINGS), "", word) for word in name.split("_") if word not in known)


def is_spelled(pattern: str, name: str) -> bool:
    """Tell whether a name fits a pattern, however its letters are composed.

    Examples
    --------
    >>> is_spelled("시간|(order|Zeit)_.*", normal("시간")), is_spelled("heure", "hour")
    (True, False)
    """
    return re.fullmatch(_plain_pattern(pattern), name) is not None


def is_word(words: str, name: str) -> bool:
    """Tell whether a name is one of several words, by itself or with a word for an id.

    Examples
    --------
    >>> is_word("shop|magasin", "magasin"), is_word("shop", "shop_id"), is_word("shop", "shop_city")
    (True, True, False)
    """
    return _pattern(words, is_key=True).fullmatch(name) is not None


def type_rank(name: str) -> int | None:
    """Tell how well a name says what happened, 0 best; None: it does not."""
    return next((rank for rank, words in enumerate(_TYPES) if _pattern(words).fullmatch(name)), None)


def is_status(name: str) -> bool:
    """Tell whether a name says in which state something is today."""
    return _pattern(_STATUS).fullmatch(name) is not None


def role_of(name: str) -> str | None:
    """Return the contract column of a session, a device or a channel that a name says."""
    return next((role for role, words in _OTHERS.items() if _pattern(words).fullmatch(name)), None)


def is_count(name: str) -> bool:
    """Tell whether a name says how many events a row stands for."""
    return _pattern(_COUNTS).fullmatch(name) is not None


def owner_of(name: str) -> str:
    """Return the object that a field is of, as ``cart`` of ``cart.count``; empty: it is of the row."""
    return "".join(name.split(".")[-2:-1])


def counts_events(name: str) -> bool:
    """Tell whether a name says that events are counted, and nothing else."""
    return _pattern(_COUNTS_OF_EVENTS).fullmatch(name) is not None


def may_count_events(name: str) -> bool:
    """Tell whether the name of a count says something else as often as how many events there were."""
    return _pattern(_MAY_BE_COUNTS).fullmatch(name) is not None


def is_order(name: str) -> bool:
    """Tell whether a name says which order a row is of."""
    return _pattern(_ORDERS, is_key=True).fullmatch(name) is not None


def is_currency(name: str) -> bool:
    """Tell whether a name says in which currency money is."""
    return _pattern(_CURRENCIES).fullmatch(name) is not None


def means_purchase(value: str) -> bool:
    """Tell whether a value says that something was bought.

    Examples
    --------
    >>> means_purchase("purchase"), means_purchase("add_to_cart")
    (True, False)
    """
    return _PURCHASE.fullmatch(value.strip()) is not None


def means_browsing(value: str) -> bool:
    """Tell whether a value says that something was viewed, and not bought."""
    return _BROWSING.fullmatch(value.strip()) is not None


def money_of(name: str) -> str | None:
    """Return ``total``, ``price`` or ``quantity``, where a name says one of them."""
    kinds = {"total": _TOTALS, "price": _PRICES, "quantity": _QUANTITIES}
    bare = re.sub(r"_(cents?|minor|pence|usd|eur|gbp)$", "", name)
    return next((kind for kind, words in kinds.items() if _pattern(words).fullmatch(bare)), None)


def is_in_cents(name: str) -> bool:
    """Tell whether a name says that money is counted in hundredths."""
    return re.fullmatch(_CENTS, name) is not None


def is_duration(name: str) -> bool:
    """Tell whether a name says how long something took; neither how long ago it was nor how long a video is."""
    return _NO_DURATION.fullmatch(name) is None and re.fullmatch(_plain_pattern(_DURATIONS), name) is not None


def units_a_second(name: str) -> float | None:
    """Return how many units of a duration are a second, where its name says the unit."""
    return next((units for units, words in _UNITS.items() if re.fullmatch(_plain_pattern(words), name)), None)


def is_event_id(name: str) -> bool:
    """Tell whether a name says that a column identifies an event."""
    return _pattern(_EVENT_IDS).fullmatch(name) is not None


def is_only_id(name: str) -> bool:
    """Tell whether a name says that a column identifies something, and not what."""
    return _pattern(_KEY).fullmatch(name) is not None


def means_cancelled(value: str) -> bool:
    """Tell whether a value says that an order was cancelled or its money returned."""
    return _CANCELLED.fullmatch(value.strip()) is not None


@cache
def _plain_pattern(pattern: str) -> str:
    return _plain(pattern)
