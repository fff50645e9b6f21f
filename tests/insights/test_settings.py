"""What the report may be told of the product."""

import pytest
from pydantic import ValidationError

from insights.settings import ReportSettings


def test_a_core_user_is_active_on_at_most_all_days():
    assert ReportSettings(core_active_days=28).core_active_days == 28
    with pytest.raises(ValidationError, match="core_active_days"):
        ReportSettings(core_active_days=29)
