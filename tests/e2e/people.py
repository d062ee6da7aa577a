"""What the two people of the demo clinic do with keys or with the mouse alone, from page to page."""

from collections.abc import Callable

from tests.e2e.terminal import Terminal

PHYSICIAN = ("Dr A. Rivera", "27182818")
NURSE = ("N. Ito", "31415926")
ROOMY, SMALL = (98, 27), (80, 24)


class Hands:
    """A person at a terminal; ``mouse`` decides whether the keyboard or the mouse is the only way in."""

    def __init__(self, terminal: Terminal, mouse: bool = False) -> None:
        self.at, self.mouse = terminal, mouse

    def choose(self, label: str) -> None:
        """Press a button or a tile."""
        way: Callable[[str], None] = self.at.click if self.mouse else self.at.choose
        way(label)

    def secret(self, secret: str) -> None:
        """Key a secret."""
        if self.mouse:
            self.at.tap_secret(secret)
        else:
            self.at.secret(secret)

    def number(self, text: str, confirm: str) -> None:
        """Key a number and confirm it: Enter, or the button."""
        if self.mouse:
            self.at.tap_digits(text)
            self.at.click(confirm)
        else:
            self.at.digits(text)
            self.at.press("enter")

    def log_in(self, person: tuple[str, str]) -> None:
        """Unlock as a person."""
        name, secret = person
        self.at.page("WHO ARE YOU")
        self.choose(name)
        self.at.see(f"[x] {name}")
        self.secret(secret)
        if self.mouse:
            self.at.click("UNLOCK")
        else:
            self.at.press("enter")

    def read_the_pump(self) -> None:
        """From the ports to the status page of the right patient."""
        self.at.page("pick the wand", "[[ SIMULATED ]] wand")
        self.choose("[[ SIMULATED ]] wand")
        self.at.page("IDENTITY", "S. Sample", "2016-05-02")
        self.choose("SAME PATIENT")
        self.at.page("CHANGE DOSE", "identity checked")

    def send(self, person: tuple[str, str], value: str, unit: str = "") -> None:
        """Sign and send: the secret, then the value again; with the mouse the button held."""
        self.at.page("SIGN AND SEND")
        self.secret(person[1])
        if self.mouse:
            self.at.hold(f"SEND {value}{unit}")
        else:
            self.at.press("enter")
            self.at.digits(value)
            self.at.press("enter")
