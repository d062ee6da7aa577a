"""Who may act in a session: credentials that are presented, and whether they still hold.

The pump verifies the chain by itself: a clinic root that it holds has signed the tablet's credential and the
person's; neither has expired by the latest time the pump has ever seen, nor lies below the revocation floor of its
root; the person's role is not above the tablet's highest. A newer revocation epoch raises the floor for ever. What was
verified once is kept by its digest while the pump has power, so that later presentations are short.
"""

from __future__ import annotations

from dataclasses import replace

from drivers.virtual import nvm, record
from drivers.virtual.pump import Identity, PumpState, Session
from protocol.credential import DIGEST_BYTES, RANK, Credential, Holder, credential_digest
from protocol.messages import Message, Present, Presented, Refusal, Refused
from protocol.participant import Signer

SECOND, TABLET = 1, 2
VERIFIED_KEPT = 16
"""Positions of PRESENT beside the author's (0), and how many verified credentials the pump keeps."""


def present(identity: Identity, state: PumpState, message: Present, now_ms: int) -> tuple[PumpState, Message]:
    """The pump's answer to a credential, and its state after it; nothing changes where it refuses."""
    session = state.session
    assert session is not None
    needs_tablet = message.position < TABLET and _tablet(identity, state) is None
    found = Refusal.TABLET_CREDENTIAL if needs_tablet else _found(identity, state, message.credential)
    why = found if isinstance(found, Refusal) else _refuses(identity, state, message.position, found)
    if isinstance(found, Refusal) or why is not None:
        assert isinstance(why, Refusal)
        return state, Refused(op=message.OP, txid=b"", reasons=(why,))
    trust = state.trust.raised(found)
    image = nvm.apply_writes(state.image, record.trust_writes(state.image, trust))
    state = replace(state, trust=trust, image=image)
    state = replace(state, verified=_kept(identity, state, message.credential, found))
    if message.position != TABLET:
        state = replace(state, session=_signed_in(session, message.position, found, now_ms))
    return state, Presented(position=message.position, role=found.role)


def barred(identity: Identity, state: PumpState) -> Refusal | None:
    """Why the credentials of this session do not hold any more; none while they do."""
    assert state.session is not None
    for shown in state.session.shown:
        why = state.trust.refuses(shown)
        if why is not None:
            return why
    tablet = _tablet(identity, state)
    if tablet is None:
        return Refusal.TABLET_CREDENTIAL
    above = any(_is_above(shown, tablet) for shown in state.session.shown)
    return Refusal.ROLE if above else None


def _is_above(person: Credential, tablet: Credential) -> bool:
    """Whether a person's role stands higher than the highest that the tablet may be used for."""
    return RANK.get(person.role, 0) > RANK.get(tablet.role, 0)


def _found(identity: Identity, state: PumpState, data: bytes) -> Credential | Refusal:
    if len(data) == DIGEST_BYTES:
        return dict(state.verified).get(data, Refusal.SIGNER_UNKNOWN)
    return state.trust.admits(data, identity.realm)


def _refuses(identity: Identity, state: PumpState, position: int, found: Credential) -> Refusal | None:
    assert state.session is not None
    if position > TABLET or (position == SECOND and not state.session.signers):
        return Refusal.MALFORMED
    if found.holder is not (Holder.TABLET if position == TABLET else Holder.CLINICIAN):
        return Refusal.CREDENTIAL
    why = state.trust.refuses(found)
    if why is not None:
        return why
    if position == TABLET:
        return None if _is_this_tablet(identity, state, found) else Refusal.CREDENTIAL
    tablet = _tablet(identity, state)
    assert tablet is not None  # looked at before the credential itself
    if _is_above(found, tablet):
        return Refusal.ROLE
    if position == SECOND and _is_same_person(found, state.session.shown[0]):
        return Refusal.SECOND_PERSON
    return None


def _is_same_person(one: Credential, other: Credential) -> bool:
    """Whether two credentials are of one person: the same key, or a renewed key under the same name and root."""
    return one.public_key == other.public_key or (one.root_id, one.subject) == (other.root_id, other.subject)


def _is_this_tablet(identity: Identity, state: PumpState, found: Credential) -> bool:
    """Whether a credential is about the tablet of this session, with the key that it is paired with now."""
    assert state.session is not None
    keys = dict(identity.tablets) | {tablet.tablet_id: tablet.public for tablet in state.paired}
    return found.subject == state.session.tablet_id and keys.get(found.subject) == found.public_key


def _tablet(identity: Identity, state: PumpState) -> Credential | None:
    """The credential of this session's tablet that was shown last, of those that hold now."""
    assert state.session is not None
    for _, known in reversed(state.verified):
        of_this = known.holder is Holder.TABLET and _is_this_tablet(identity, state, known)
        if of_this and state.trust.refuses(known) is None:
            return known
    return None


def _kept(identity: Identity, state: PumpState, data: bytes, found: Credential) -> tuple[tuple[bytes, Credential], ...]:
    """The verified credentials with this one; of too many those give way that hold no more, then the oldest, and never
    the one of this session's tablet, without which nobody is heard."""
    digest = data if len(data) == DIGEST_BYTES else credential_digest(data)
    own = _tablet(identity, state)
    others = [item for item in state.verified if item[0] != digest]
    gone = max(0, len(others) + 1 - VERIFIED_KEPT)
    for item in sorted(others, key=lambda item: state.trust.refuses(item[1]) is None):
        if gone and item[1] is not own:
            others.remove(item)
            gone -= 1
    return (*others, (digest, found))


def _signed_in(session: Session, position: int, found: Credential, now_ms: int) -> Session:
    signer = Signer(found.public_key, found.role, now_ms)
    return replace(
        session, signers=(*session.signers[:position], signer), shown=(*session.shown[:position], found)
    )  # fmt: skip
