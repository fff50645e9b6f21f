import pytest
from pydantic import ValidationError

from serving.settings import ExportSettings, ScoringSettings, ServingSettings


def test_the_bands_are_the_top_tenth_and_the_next_two_tenths_by_default():
    assert (ScoringSettings().high_percentile, ScoringSettings().medium_percentile) == (90.0, 70.0)


def test_bands_may_meet_and_may_not_cross():
    assert ScoringSettings(high_percentile=80, medium_percentile=80).medium_percentile == 80
    with pytest.raises(ValidationError, match=r"medium_percentile 80\.0 is above high_percentile 79\.0"):
        ScoringSettings(high_percentile=79, medium_percentile=80)


@pytest.mark.parametrize("value", [-0.1, 100.1])
def test_a_percentile_is_from_0_to_100(value: float):
    with pytest.raises(ValidationError, match="high_percentile"):
        ScoringSettings(high_percentile=value)


@pytest.mark.parametrize("name", ["port", "workers", "max_items", "max_events", "max_events_per_item"])
def test_a_limit_is_at_least_one(name: str):
    with pytest.raises(ValidationError, match=name):
        ServingSettings.model_validate({name: 0})


def test_a_list_starts_at_one_of_the_three_bands():
    with pytest.raises(ValidationError, match="at_least"):
        ExportSettings.model_validate({"at_least": "highest"})


@pytest.mark.parametrize("host", ["localhost", "", "10.0.0.300"])
def test_the_host_is_an_address(host: str):
    with pytest.raises(ValidationError, match="host"):
        ServingSettings(host=host)
    assert ServingSettings(host="::1").host == "::1"


@pytest.mark.parametrize("origin", ["*", "shop.example", "https://shop.example/", "https://*.example", "null"])
def test_an_origin_is_a_scheme_and_a_host(origin: str):
    with pytest.raises(ValidationError, match="is not an origin"):
        ServingSettings(cors_origins=(origin,))
    assert ServingSettings(cors_origins=("https://shop.example:8443",)).cors_origins


def test_a_certificate_comes_with_its_key():
    with pytest.raises(ValidationError, match="belong together"):
        ServingSettings(tls_certificate="chain.pem")
