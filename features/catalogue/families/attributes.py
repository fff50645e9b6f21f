"""Who they are: what the table of ``[users]`` said of a user before the cutoff."""

from features.catalogue.definition import OverAttributes, PerAttribute, Unit

FEATURES = (
    PerAttribute(
        OverAttributes(
            "user_{attribute}",
            Unit.TEXT,
            "User attribute {attribute}: of the last row of [users] that was valid before the cutoff.",
            sql='max(version)."{attribute}"',
            reason="user attribute {attribute} is {value}",
            needs=("user attribute {attribute}",),
        )
    ),
)
