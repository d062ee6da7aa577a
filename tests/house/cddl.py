"""``protocol/pump.cddl``: the wire in CDDL (RFC 8610), made from the message table; ``python -m tests.house.cddl``.

What the table does not declare (sealed envelope, signed bytes, credentials) is written here by hand.
"""

import re
from collections.abc import Iterator
from enum import IntEnum, IntFlag
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic.fields import FieldInfo

from protocol import messages as m
from protocol import wand as w
from protocol.wire_model import Wire, WireModel
from tests.house.spec import ENUMS, PARTS

CDDL = Path(__file__).resolve().parents[2] / "protocol" / "pump.cddl"
WIDTH = 118
_UINT = {0xFF: "u8", 0xFFFF: "u16", 0xFFFF_FFFF: "u32", 2**64 - 1: "u64"}

HEAD = """\
; The wire between tablet and pump, version 1, in CDDL (RFC 8610). Normative together with SPEC.md.
; Made from the message table by `python -m tests.house.cddl`; do not change by hand.
;
; Every item is encoded by RFC 8949 section 4.2.1 (core deterministic encoding): shortest heads, definite lengths, map
; keys in ascending order. Beyond that: no float, no tag, no null, no negative number, no key that is not an unsigned
; integer, no repeated key, at most four levels. CDDL cannot say this; whoever decodes must refuse the rest.
; Numbers in ranges of bytes and text count bytes; regular expressions hold for the whole text.

; -- What one DATA frame carries ---------------------------------------------------------------------------------
"""

RULES = """
u8 = 0..255
u16 = 0..65535
u32 = 0..4294967295
u64 = uint
request-id = u16
id8 = bstr .size 8
nonce8 = bstr .size 8
txid = bstr .size 16
digest = bstr .size 32
key = bstr .size 32
signature = bstr .size 64

; -- Outside CBOR: what a frame holds after COBS, and what is sealed -------------------------------------------------

; address and kind (1 byte), sequence number (1), payload, CRC-32 (4)
frame-body = bstr .size (6..254)
; payload of a DATA frame to or from the pump: ciphertext of one message, and the tag of 16 bytes
sealed = bstr .size (17..248)
; payloads of HANDSHAKE: the tablet's greeting tag (8), then Noise message 1; and of the replies, Noise message alone
handshake-1 = bstr .size 56
handshake-routine-2 = bstr .size 48
handshake-break-glass-2 = bstr .size 48
handshake-pairing-2 = bstr .size 96
handshake-pairing-3 = bstr .size 64
handshake-pairing-3-reply = bstr .size 0
; payload of BEACON
beacon-request = bstr .size 8
; epoch (4, big-endian), order hash (32), chain (32), tablet tag (8)
witness-record = bstr .size 76

; -- What is bound and signed ------------------------------------------------------------------------------------

serial = (tstr .size (1..16)) .and (tstr .regexp "[A-Z0-9-]+")
realm-word-order = "order/1 clinical" / "order/1 simulated"
realm-word-receipt = "receipt/1 clinical" / "receipt/1 simulated"
realm-word-anchor = "anchor/1 clinical" / "anchor/1 simulated"
noise-name = "Noise_KKpsk0_25519_ChaChaPoly_SHA256" / "Noise_NKpsk0_25519_ChaChaPoly_SHA256"
noise-name /= "Noise_XXpsk3_25519_ChaChaPoly_SHA256"

prologue = [
  name: noise-name, version: 1, serial: serial, tablet-id: serial / "", link-kind: 1,
  hello-tablet: bstr, hello-pump: bstr, roles: h'0102', break-glass: bool,
]

; the content of an order: kind, program, reservoir volume in nL (0 for a program), discrepancy
content = [kind: order-kind, program: program, reservoir-nl: u32, discrepancy: discrepancy]

; what a person signs
order = [
  domain: realm-word-order, serial: serial, txid: txid, token: id8, content: content, content-digest: digest,
  previous-program-digest: digest, epoch: u32, annex: digest, staged-at-s: u32, handshake-hash: digest,
  log-head: bstr .size 16, signer: id8, meaning: 1..2,
]

; what the pump signs when an order is in force
receipt = [
  domain: realm-word-receipt, serial: serial, txid: txid, content-digest: digest, epoch: u32, effective-at-s: u32,
  signatures-digest: digest, chain: digest,
]

; what the pump signs in answer to ANCHOR
anchor-signed = [
  domain: realm-word-anchor, serial: serial, nonce: bstr .size 16, witness: witness-record, pump-time-s: u32,
]

; what PRESENT carries where it is not the 32-byte digest; the root signs the same array without its last item
credential = [
  domain: credential-domain, public-key: key, subject: tstr .size (1..32), role: role, not-after-s: u32,
  revocation-epoch: u32, root-id: id8, signature: signature,
]
credential-signed = [
  domain: credential-domain, public-key: key, subject: tstr .size (1..32), role: role, not-after-s: u32,
  revocation-epoch: u32, root-id: id8,
]
credential-domain = "clinician/1 clinical" / "clinician/1 simulated" / "tablet/1 clinical" / "tablet/1 simulated"
"""


def hyphened(name: str) -> str:
    """``StageRefill`` and ``stage_refill`` as stage-refill."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).replace("_", "-").lower()


def _bound(metadata: list[Any], kind: type, name: str) -> list[int]:
    found = []
    for item in metadata:
        for part in getattr(item, "metadata", None) or [item]:
            if isinstance(part, kind):
                found.append(getattr(part, name))
    return found


def _of(annotation: Any, metadata: list[Any]) -> str:
    """The CDDL type of one value."""
    if get_origin(annotation) is UnionType or str(annotation).startswith("typing.Optional"):
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    if hasattr(annotation, "__metadata__"):
        extra = [part for item in annotation.__metadata__ for part in (getattr(item, "metadata", None) or [item])]
        return _of(get_args(annotation)[0], [*metadata, *extra])
    if get_origin(annotation) is tuple:
        inner = get_args(annotation)[0]
        least, most = _bound(metadata, MinLen, "min_length"), _bound(metadata, MaxLen, "max_length")
        count = f"{max(least)}*{min(most)}" if most else "*"
        return f"[{count} {_of(inner, [])}]"
    if isinstance(annotation, type) and issubclass(annotation, WireModel | IntEnum | IntFlag):
        return hyphened(annotation.__name__)
    if annotation is bool:
        return "bool"
    if annotation is int:
        top = min(_bound(metadata, Le, "le"))
        low = max([0, *_bound(metadata, Ge, "ge")])
        return _UINT.get(top, f"{low}..{top}") if not low else f"{low}..{top}"
    least, most = max([0, *_bound(metadata, MinLen, "min_length")]), min(_bound(metadata, MaxLen, "max_length"))
    if annotation is bytes:
        return f"bstr .size {most}" if least == most else f"bstr .size ({least}..{most})"
    pattern = next((part.pattern for item in metadata for part in [item, *getattr(item, "metadata", [])]
                    if getattr(part, "pattern", None)), None)  # fmt: skip
    if pattern:
        return f'(tstr .size ({least}..{most})) .and (tstr .regexp "{pattern.strip("^$")}")'
    return f"tstr .size ({least}..{4 * most})"


def _type(field: FieldInfo) -> str:
    return _of(field.annotation, list(field.metadata))


def _note(field: FieldInfo, kind: str) -> str:
    unit = next(item.unit for item in field.metadata if isinstance(item, Wire))
    if field.annotation is str and ".regexp" not in kind:
        most = min(_bound(list(field.metadata), MaxLen, "max_length"))
        unit = f"at most {most} characters; {unit}".rstrip("; ")
    return f"  ; {unit}" if unit else ""


def body(name: str, model: type[WireModel]) -> Iterator[str]:
    """The rule of one body."""
    fields = [(key, attribute, model.model_fields[attribute]) for key, attribute in model.wire_keys().items()]
    yield ""
    yield f"; {(model.__doc__ or '').strip().splitlines()[0]}"
    if not fields:
        yield f"{name} = {{}}"
        return
    if model.POSITIONAL and model.OPEN:
        yield f"{name} = [{name}-fields, * any]"
        yield f"{name}-fields = ("
    else:
        yield f"{name} = " + ("[" if model.POSITIONAL else "{")
    for key, attribute, field in fields:
        kind = _type(field)
        mark = "" if field.is_required() else "? "
        place = f"{hyphened(attribute)}: " if model.POSITIONAL else f"{key}: "
        says = _note(field, kind)
        if not model.POSITIONAL:
            says = f"  ; {hyphened(attribute)}" + (f", {says[4:]}" if says else "")
        yield f"  {mark}{place}{kind},{says}"
    if model.OPEN and not model.POSITIONAL:
        yield "  * uint => any,"
    yield ")" if model.POSITIONAL and model.OPEN else "]" if model.POSITIONAL else "}"


def rule_name(model: type[WireModel]) -> str:
    """Name of the rule of a body that stands alone, or of a whole message."""
    return ("wand-" if issubclass(model, w.WandMessage) else "") + hyphened(model.__name__)


def _choice(name: str, parts: list[str]) -> Iterator[str]:
    line = f"{name} ="
    for number, part in enumerate(parts):
        more = f" {'/ ' if number else ''}{part}"
        if len(line) + len(more) > WIDTH:
            yield line
            line = f"{name} /= {part}"
        else:
            line += more
    yield line


def _numbers(numbers: type[IntEnum] | type[IntFlag]) -> Iterator[str]:
    name = hyphened(numbers.__name__)
    yield ""
    if issubclass(numbers, IntFlag):
        yield f"; bits: {', '.join(f'{int(item)} {item.name}' for item in numbers)}"
        yield f"{name} = 0..{sum(int(item) for item in numbers)}"
        return
    yield f"{name} = &("
    yield from (f"  {item.name}: {int(item)}," for item in numbers)
    yield ")"


def text() -> str:
    """The whole file."""
    messages = [model for _, model in sorted(m.MESSAGES.items())]
    wands = [model for _, model in sorted(w.WAND_MESSAGES.items())]
    lines = [HEAD.rstrip("\n"), ""]
    lines += ["wire = message / wand-message / hello-tablet / hello-pump / beacon", ""]
    lines += _choice("message", [rule_name(model) for model in messages if model.REQUEST])
    lines += [f"message /={line.partition('=')[2]}" for line in _choice(
        "message", [rule_name(model) for model in messages if not model.REQUEST])]  # fmt: skip
    lines += _choice("wand-message", [rule_name(model) for model in wands])
    lines += ["", "; -- Messages: to and from the pump, inside the sealed envelope " + "-" * 54]
    for model in messages:
        way = "to pump" if model.REQUEST else "from pump"
        name = rule_name(model)
        lines += body(f"{name}-body", model)
        lines += [f"{name} = [op: {model.OP}, request-id: request-id, body: {name}-body]  ; {way}"]
    lines += ["", "; -- To and from the wand adapter, in clear " + "-" * 74]
    for wand in wands:
        name = rule_name(wand)
        lines += body(f"{name}-body", wand)
        lines += [f"{name} = [op: {wand.OP}, body: {name}-body]"]
    lines += ["", "; -- Parts and what travels in clear before a session " + "-" * 64]
    for part in PARTS:
        lines += body(rule_name(part), part)
    lines += ["", "; -- Numbers with names " + "-" * 94]
    for numbers in ENUMS:
        lines += _numbers(numbers)
    return "\n".join(lines) + "\n" + RULES


if __name__ == "__main__":
    CDDL.write_text(text(), encoding="utf-8")
