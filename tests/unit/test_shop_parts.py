"""The pure parts of the demo shop: the basket, the form, the words."""

import pytest

from pickup.shop import basket, checkout, presenting

BENTONVILLE = (36.3728, -94.2088)
MILE = 1609.344
ONE = (basket.Line("A", "Milk", 2), basket.Line("B", "Bread", 1))


# The basket


def test_what_is_added_twice_is_one_line():
    assert basket.add(ONE, "A", "Milk", 3) == (basket.Line("A", "Milk", 5), ONE[1])
    assert basket.add((), "C", "x" * 200) == (basket.Line("C", "x" * basket.NAME_MAX_CHARACTERS, 1),)


def test_a_line_can_be_changed_and_taken_out():
    assert basket.change(ONE, "A", 7)[0].quantity == 7
    assert basket.change(ONE, "A", 10**6)[0].quantity == basket.QUANTITY_MAX
    assert basket.change(ONE, "A", 0) == ONE[1:]
    assert basket.change(ONE, "nothing", 5) == ONE


def test_a_full_basket_takes_more_of_what_it_has_and_nothing_else():
    full = tuple(basket.Line(str(number), "x", 1) for number in range(basket.LINES_MAX))

    assert basket.count(basket.add(full, "3", "x")) == basket.LINES_MAX + 1
    with pytest.raises(basket.BasketFull):
        basket.add(full, "another", "x")


@pytest.mark.parametrize(
    ("text", "number"),
    [("3", 3), (" 0 ", 0), ("12345", 99), ("-1", None), ("", None), ("1.5", None), ("²", None), ("9" * 50, None)],
)
def test_quantities_as_people_type_them(text, number):
    assert basket.quantity_of(text) == number


def test_the_api_names_lines_by_their_place():
    fields = {"/items/1/quantity": "at most 5", "/items/9/sku": "gone", "/items": "no price", "/customer/name": "!"}

    assert basket.errors_by_sku(ONE, fields) == {"B": "at most 5"}
    assert basket.items(ONE) == [{"sku": "A", "quantity": 2}, {"sku": "B", "quantity": 1}]


# The form at the checkout

KEY = "2f1c7d0e-8a53-4d2b-9e11-6f0a1b2c3d4e"
TYPED = {
    "name": " Ada ",
    "email": "ada@example.com",
    "who": "me",
    "card": "tok_ok",
    "attempt": KEY,
    "collector_name": "B",
}


def order(**changes):
    form = checkout.read(TYPED | changes)
    return checkout.order_of(form, [{"sku": "A", "quantity": 1}], {"store_ref": "1"}, ip_address="203.0.113.7")


def test_what_was_typed_becomes_an_order():
    assert order(shown_total="718 USD") == {
        "customer": {"name": "Ada", "email": "ada@example.com", "ip_address": "203.0.113.7"},
        "items": [{"sku": "A", "quantity": 1}],
        "pickup": {"store_ref": "1"},
        "payment": {"method": "sandbox", "token": "tok_ok"},
        "expected_total": {"amount": 718, "currency": "USD"},
    }
    assert order(who="other")["pickup"] == {"store_ref": "1", "collector": {"name": "B"}}
    assert order(who="other", collector_name="")["pickup"] == {"store_ref": "1", "collector": {}}


@pytest.mark.parametrize("total", ["", "x USD", "-1 USD", "1.5 USD", "718", "718 usd", "9" * 30 + " USD"])
def test_a_total_that_nobody_was_shown_is_none(total):
    assert "expected_total" not in order(shown_total=total)


def test_a_repetition_keeps_its_key_and_another_attempt_does_not():
    form = checkout.read(TYPED | {"shown_total": "718 USD"})

    assert form.attempt == KEY
    assert checkout.anew(form).attempt != KEY
    assert [len(checkout.read(TYPED | {"attempt": forged}).attempt) for forged in ("", "中", "k\n", "x" * 300)] == [
        36
    ] * 4
    assert checkout.anew(form).typed == form.typed
    quote = {"total": {"amount": 1, "currency": "EUR"}, "store": {"ref": "7"}}
    assert (checkout.beside(form, quote).shown_total, checkout.beside(form, quote).shown_store) == ("1 EUR", "7")


def test_objections_stand_beside_their_fields():
    words, errors = checkout.objections("invalid_fields", "", {"/customer/email": "Not an address."})
    assert (words, errors) == (checkout.FIELDS_WRONG, {"email": "Not an address."})
    words, errors = checkout.objections("invalid_fields", "", {"/items": "no price", "/customer/name": "Missing."})
    assert words == "Nothing was ordered. no price"
    assert errors == {"name": "Missing."}
    assert checkout.objections("payment_declined", "", {})[0] == checkout.REFUSALS["payment_declined"]
    assert checkout.objections("new_code", "Something else.", {})[0] == "Nothing was ordered. Something else."


# The words


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        ("", "Open day and night"),
        ("24/7", "Open day and night"),
        ("Mo-Sa 08:00-21:00; Su 10:00-18:00", "Mon–Sat 08:00–21:00, Sun 10:00–18:00"),
        ("Mo-Fr 09:00-17:00; PH off", "Mon–Fri 09:00–17:00, Holidays closed"),
    ],
)
def test_opening_hours_in_words(hours, words):
    assert presenting.hours(hours) == words


def test_a_picture_for_every_name():
    assert presenting.picture("Whole milk, 1 gal").initials == "WM"
    assert presenting.picture("7-up").initials == "U"
    assert presenting.picture("42").initials == "4"
    assert presenting.picture("Äpfel").initials == "Ä"


def test_departments_come_in_the_order_of_their_first_product():
    products = [
        {"sku": sku, "department": department} for sku, department in [("1", "B"), ("2", None), ("3", "A"), ("4", "B")]
    ]

    grouped = presenting.by_department(products)

    assert [(name, [each["sku"] for each in group]) for name, group in grouped] == [
        ("B", ["1", "4"]),
        ("Everything else", ["2"]),
        ("A", ["3"]),
    ]
