"""Global Trade Item Numbers: the digits under a barcode."""

LENGTHS = (8, 12, 13, 14)


def validate(text: str) -> None:
    """Check a GTIN by the GS1 General Specifications, §7.9: its length, and its last digit by the others.

    Raises:
        ValueError: it is none.
    """
    if not (text.isascii() and text.isdigit()) or len(text) not in LENGTHS:
        raise ValueError(f"must be {', '.join(map(str, LENGTHS[:-1]))} or {LENGTHS[-1]} digits")
    expected = check_digit(text[:-1])
    if text[-1] != expected:
        raise ValueError(f"{text} has a wrong check digit: {text[-1]}, and it should be {expected}")


def check_digit(digits: str) -> str:
    """The digit that goes after these: weights 3, 1, 3, … from the right, up to the next multiple of ten."""
    total = sum(int(digit) * (1 if position % 2 else 3) for position, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def is_same(one: str, other: str) -> bool:
    """Whether two texts are one number: a scanner may say a GTIN-12 with a zero before it, as a GTIN-13."""
    return one.isascii() and one.isdigit() and one.lstrip("0") == other.lstrip("0")
