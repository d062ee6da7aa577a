"""What a receiver hears of an 8N1 line when it listens at another speed than was spoken."""


def misheard(data: bytes, spoken_baud: int, heard_baud: int) -> bytes:
    """``data`` spoken at one speed and sampled at another, as a simple UART does: it waits for a falling edge and
    takes the middle of each of its own bits. At the same speed it is ``data`` itself."""
    levels = [1] * 20
    for value in data:
        levels += [0, *((value >> bit) & 1 for bit in range(8)), 1]
    levels += [1] * 20
    # Exact time in units of 1 / (spoken * heard) s: a spoken bit lasts heard_baud, a heard one spoken_baud.
    end = len(levels) * heard_baud
    heard, place = bytearray(), 1
    while place < len(levels):
        if not (levels[place - 1] == 1 and levels[place] == 0):
            place += 1
            continue
        start = place * heard_baud
        value = 0
        for bit in range(8):
            at = 2 * start + (3 + 2 * bit) * spoken_baud
            level = levels[at // (2 * heard_baud)] if at < 2 * end else 1
            value |= level << bit
        heard.append(value)
        stop = 2 * start + 19 * spoken_baud
        place = max(place + 1, -(-stop // (2 * heard_baud)))
    return bytes(heard)
