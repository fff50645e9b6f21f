"""Settings of scores, the weekly list and the endpoint."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Literal, Self

from pydantic import SecretStr, field_validator, model_validator

from features.errors import closest
from features.settings import Section, TableSettings, setting

CONTACT_COLUMNS = ("user_id", "contacted_at", "campaign", "cost", "arm")


class ScoringSettings(Section):
    """``[scoring]``: where the risk bands begin, in percentiles of the model's frozen reference population."""

    high_percentile: float = setting(90.0, "Lowest percentile of the risk band high.", ge=0, le=100)
    medium_percentile: float = setting(70.0, "Lowest percentile of the risk band medium.", ge=0, le=100)
    allow_mapping_change: bool = setting(
        default=False,
        words="Score though a column that the model reads is mapped differently than when it was trained.",
    )
    follow_base_rate: bool = setting(
        default=True,
        words="Shift probabilities by how far off they were at the latest cutoffs whose labels are known; ranking and bands stay.",
    )

    @model_validator(mode="after")
    def _bands_rise(self) -> Self:
        if self.medium_percentile > self.high_percentile:
            raise ValueError(
                f"medium_percentile {self.medium_percentile} is above high_percentile {self.high_percentile}"
            )
        return self


Band = Literal["high", "medium", "low"]
_NAME = r"[a-z][a-z0-9_]*"
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")


class ListSettings(Section):
    """``[[lists]]``: one weekly list: who may be on it, and where it is cut."""

    name: str = setting("at_risk", "Name of the list.", pattern=f"^{_NAME}$")
    where: str = setting(
        "", "SQL condition over the profile and the attributes of [users]: who may be on it; default: everyone scored."
    )
    at_least: Band | None = setting(None, "Cut: lowest risk band that is listed.")
    capacity: int | None = setting(None, "Cut: number of users who can be contacted.", unit="users", ge=1)
    budget: float | None = setting(None, "Cut: money for contacting, of cost_per_contact each.", gt=0)
    cost_per_contact: float | None = setting(None, "Money that one contact costs.", gt=0)
    incentive: float | None = setting(None, "Money paid to each user who takes the offer.", ge=0)
    save_rate: float | None = setting(
        None,
        "Share of leavers who stay when they are contacted, as far as known; the list is then ranked and cut by expected profit.",
        gt=0,
        le=1,
    )
    taken_by_stayers: float = setting(
        1.0, "Share of users who take the incentive when they are contacted, though they would have stayed.", ge=0, le=1
    )
    value: str = setting(
        "",
        "SQL number over the profile: what a user is worth; default: amount of the last 90 days, where there are amounts.",
    )
    columns: tuple[str, ...] = setting((), "Attributes of [users] that the list carries along.")

    @model_validator(mode="after")
    def _has_one_cut(self) -> Self:
        cuts = [name for name in ("at_least", "capacity", "budget") if getattr(self, name) is not None]
        if len(cuts) > 1 or not (cuts or self.save_rate):
            hint = "expected one of at_least, capacity, budget, or a save_rate, which cuts by profit"
            raise ValueError(f"list {self.name}: got {' and '.join(cuts) or 'no cut'}, {hint}")
        if self.save_rate is None and self.incentive is not None:
            raise ValueError(f"list {self.name}: an incentive needs a save_rate")
        if self.budget is not None and self.cost_per_contact is None:
            raise ValueError(f"list {self.name}: a budget needs cost_per_contact")
        return self

    @property
    def contacts(self) -> int | None:
        """How many users can be contacted; None: as many as are at risk."""
        if self.budget is not None and self.cost_per_contact is not None:
            return int(self.budget / self.cost_per_contact + 1e-9)
        return self.capacity


class ExportSettings(Section):
    """``[export]``: what all weekly lists share."""

    at_least: Band = setting("medium", "Lowest risk band that is listed, where there is no [[lists]].")
    id_column: str = setting(
        "user_id", "Attribute by which the team's tool matches users, such as an e-mail address; default: the user id."
    )
    reachable: str = setting("", "SQL condition over the attributes: who can be contacted; default: everyone.")
    opted_out: str = setting(
        "", "SQL condition over the attributes: who does not want to be contacted; default: nobody."
    )
    cool_down_days: int = setting(
        0, "Days after a contact in which a user is on no list; 0: none.", unit="days", ge=0, le=365
    )
    preset: Literal["", "braze", "hubspot"] = setting("", "Tool whose names the columns of the upload get.")
    actions: dict[str, str] = setting(
        {},
        "Reason code, or code.band as in recency.high = action that the list suggests; see the guide for the others.",
    )
    columns: dict[str, str] = setting({}, "Columns of the upload = the names that they get there.")
    to: tuple[SecretStr, ...] = setting(
        (), "Where finished lists go as well: folders, URLs of object stores, or database URLs with #table."
    )


class HoldoutSettings(Section):
    """``[holdout]``: users who are left alone on purpose, so that the effect of contacting can be measured."""

    share: float | None = setting(
        None, "Share of all users that is held out; default: 0.1, or what smallest_effect needs.", ge=0, le=0.5
    )
    smallest_effect: float | None = setting(
        None, "Effect on the churn rate that should be found within 26 weeks.", unit="points", gt=0, le=100
    )
    epoch: Literal["month", "quarter", "year"] = setting("quarter", "Period for which arms hold.")
    grace_days: int = setting(
        3, "Days after the end of a horizon until its outcome is final: events may come late.", unit="days", ge=0, le=90
    )

    @model_validator(mode="after")
    def _one_decides(self) -> Self:
        if self.share is not None and self.smallest_effect is not None:
            raise ValueError("share and smallest_effect both decide how many users are held out; set one of them")
        return self


class ContactsSettings(TableSettings):
    """``[contacts]``: who was contacted, when, as the team's tool recorded it."""

    @model_validator(mode="after")
    def _columns_are_known(self) -> Self:
        for name in self.columns:
            if name not in CONTACT_COLUMNS:
                raise ValueError(f'columns: "{name}" is unknown; {closest(name, CONTACT_COLUMNS)}')
        return self

    def mapping(self) -> dict[str, str]:
        """Column to expression; the time of the contact is when the row became valid."""
        mapped = {"user_id": "user_id", "contacted_at": "contacted_at"} | self.columns
        return {("valid_from" if name == "contacted_at" else name): sql for name, sql in mapped.items()}


class ServingSettings(Section):
    """``[serving]``: the endpoint."""

    host: str = setting("127.0.0.1", "IP address to listen on; any but loopback needs keys: churn keys add.")
    port: int = setting(3000, "Port to listen on.", ge=1, le=65535)
    workers: int = setting(1, "Worker processes; each uses one core.", ge=1, le=256)
    releases: SecretStr | None = setting(
        None,
        "Place that churn publish takes releases to, and churn serve fetches them from: a folder, or s3://bucket/churn.",
    )
    tls_certificate: str = setting(
        "", "File with the certificate and its chain, PEM; empty: no encryption, as behind a proxy that does it."
    )
    tls_key: str = setting("", "File with the private key of the certificate, PEM.")
    cors_origins: tuple[str, ...] = setting(
        (), "Origins whose pages may read answers, as https://shop.example; default: none."
    )
    max_items: int = setting(1000, "Maximum number of items in a request.", unit="items", ge=1, le=100_000)
    max_events: int = setting(50_000, "Maximum number of events in a request.", unit="events", ge=1, le=10_000_000)
    max_events_per_item: int = setting(
        10_000, "Maximum number of events in an item.", unit="events", ge=1, le=10_000_000
    )
    max_requests_under_way: int = setting(
        500, "Requests that a worker has under way at once; more are answered 503.", unit="requests", ge=1, le=100_000
    )
    max_items_under_way: int = setting(
        500,
        "Items that a worker computes, or that wait for it, at once; more are answered 503. Stored answers do not count.",
        unit="items",
        ge=1,
        le=10_000_000,
    )
    degraded_after_days: float = setting(
        8, "Age of the stored profiles from which answers say degraded: a weekly run is late.", unit="days", gt=0
    )
    stale_after_days: float = setting(
        15, "Age of the stored profiles from which answers say stale: two weekly runs are missing.", unit="days", gt=0
    )
    log_requests: bool = setting(
        default=False, words="Write a line to the log for every request, not only for refused ones."
    )
    shadow: str = setting(
        "",
        "Alias or version of a model that is compared with the champion and answers nobody, as challenger; empty: none.",
        pattern="^([a-z][a-z0-9_-]*|[1-9][0-9]*)?$",
    )
    keep_activity: bool = setting(
        default=False,
        words="Keep each user's days in the profile store, so that events since its cutoff can be added to these days.",
    )

    @field_validator("host")
    @classmethod
    def _host_is_an_address(cls, host: str) -> str:
        ip_address(host)
        return host

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_named(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        """A star would let every page that somebody opens read what this machine may ask."""
        for one in origins:
            if not _ORIGIN.fullmatch(one):
                raise ValueError(f'"{one}" is not an origin; expected a scheme and a host, as https://shop.example')
        return origins

    @model_validator(mode="after")
    def _degraded_before_stale(self) -> Self:
        if self.degraded_after_days > self.stale_after_days:
            limits = f"degraded_after_days {self.degraded_after_days} is above stale_after_days {self.stale_after_days}"
            raise ValueError(limits)
        return self

    @model_validator(mode="after")
    def _certificate_has_its_key(self) -> Self:
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("tls_certificate and tls_key belong together; set both or none")
        return self
