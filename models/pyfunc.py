"""Where models that were registered before the package had folders look for their loader; see :mod:`models.registry.pyfunc`."""

from models.registry import pyfunc

_load_pyfunc = getattr(pyfunc, "_load_pyfunc")  # noqa: B009 -- MLflow calls it by name
