"""``logyard`` as a user runs it."""

from tests.supervisor.conftest import user

__all__ = ["user"]
