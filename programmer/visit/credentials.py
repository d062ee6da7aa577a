"""Credentials that this tablet shows to pumps: its own and those of the clinic's people, made from grants.

The clinic root signs them at enrolment, when it is at hand; the tablet keeps them in its store. A tablet's credential
holds at most 30 days, so an office that has the root renews it in advance: the tablet takes the one for the pump's day.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from programmer.audit.note import parse_vkey
from programmer.audit.registry import parse_grant
from programmer.identity.device import SeedSigner
from programmer.identity.users import User
from protocol.credential import TABLET_LIFE_S, Credential, Holder, parse, root_id
from protocol.messages import Realm, Role

META = "credentials"


@dataclass(frozen=True, slots=True)
class Credentials:
    """``people``: Ed25519 public key to credential; ``tablets``: this tablet's, in any order."""

    people: Mapping[bytes, bytes] = field(default_factory=dict)
    tablets: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, every: Iterable[bytes]) -> "Credentials":
        """Sorted by whom they are about. Raises MalformedMessage for bytes that are no credential."""
        read = [(parse(data)[0], data) for data in every]
        return cls(
            {about.public_key: data for about, data in read if about.holder is Holder.CLINICIAN},
            tuple(data for about, data in read if about.holder is Holder.TABLET),
        )

    def tablet_at(self, pump_time_s: int) -> bytes | None:
        """The tablet's credential that holds longest, of those that end within 30 days of this time of the pump.

        Where none does, the one that ends first: the pump says why it does not take it. None where there is none.
        """
        ends = sorted((parse(data)[0].not_after_s, data) for data in self.tablets)
        near = [data for end, data in ends if end <= pump_time_s + TABLET_LIFE_S]
        return near[-1] if near else ends[0][1] if ends else None


def pack(every: Iterable[bytes]) -> bytes:
    """Credentials as bytes for the store."""
    return json.dumps([data.hex() for data in every]).encode()


def unpack(data: bytes | None) -> Credentials:
    """The credentials of ``pack``; none where nothing is stored."""
    return Credentials() if data is None else Credentials.of(bytes.fromhex(text) for text in json.loads(data))


def pump_role(role: str) -> Role:
    """The pump's word for a role of the clinic. Raises KeyError for one that pumps do not know."""
    return Role[role.upper().replace("-", "_")]


def for_person(root: SeedSigner, user: User, realm: Realm, epoch: int) -> bytes:
    """The credential of an enrolled person: key, role and end of the grant, signed by the root at hand.

    Raises GrantRefused for a grant that this root has not signed.
    """
    grant = parse_grant(user.grant, [parse_vkey(root.vkey)])
    return _by(
        root, Holder.CLINICIAN, realm, grant.vkey.key, user.id, pump_role(grant.role), _s(grant.not_after), epoch
    )


def for_tablet(root: SeedSigner, tablet: str, static: bytes, realm: Realm, not_after_s: int, epoch: int) -> bytes:
    """The credential of a tablet: its X25519 static key, prescriber as the highest role, ``not_after_s`` as its end."""
    return _by(root, Holder.TABLET, realm, static, tablet, Role.PRESCRIBER, not_after_s, epoch)


def _by(
    root: SeedSigner, holder: Holder, realm: Realm, key: bytes, subject: str, role: Role, end_s: int, epoch: int
) -> bytes:
    return Credential(holder, realm, key, subject, role, end_s, epoch, root_id(root.public)).signed(root.sign)


def _s(utc: str) -> int:
    return int(datetime.strptime(utc, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC).timestamp())
