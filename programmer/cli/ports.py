"""``programmer ports``: the serial ports of this tablet. Listing opens nothing."""

from programmer.cli import talk
from programmer.cli.exits import Exit
from programmer.cli.parsers import add_json, command


def run(arguments: list[str]) -> int:
    """List the ports; the exit code."""
    parser = command("ports", "", "--json")
    add_json(parser)
    options = parser.parse_args(arguments)
    from drivers.discovery import list_ports, printable

    found = list_ports()
    if options.json:
        rows = [
            {
                "url": port.url,
                "description": printable(port.description),
                "usb_id": port.usb_id,
                "usb_serial": None if port.serial_number is None else printable(port.serial_number),
            }
            for port in found
        ]
        talk.document("programmer/ports/1", {"ports": rows})
        return Exit.DONE
    for port in found:
        talk.data(port.label)
    if not found:
        talk.talk("No serial port was found. Plug in the wand; for a virtual pump use the port that it prints.")
    return Exit.DONE
