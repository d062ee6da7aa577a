"""Who acts: keys, secrets, users, roles, and the tablet's own identity."""

from programmer.identity.tablet import Identity
from programmer.identity.users import User, UserSigner

__all__ = ["Identity", "User", "UserSigner"]
