"""User attributes: the row of ``[users]`` that was valid before the cutoff."""

from features.catalogue.definition import OverAttributes, PerAttribute, Unit

FEATURES = (
    PerAttribute(
        OverAttributes(
            "user_{attribute}",
            Unit.TEXT,
            "User attribute {attribute}, from the last row of [users] that was valid before the cutoff.",
            sql='max(version)."{attribute}"',
            reason="{attribute} is {value}",
            needs=("user attribute {attribute}",),
        )
    ),
)
