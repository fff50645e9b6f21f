"""Where models that were registered before the package had folders look for their loader; see :mod:`models.registry.pyfunc`."""

from models.registry.pyfunc import _load_pyfunc as _load_pyfunc  # noqa: PLC0414 -- MLflow calls it by name
