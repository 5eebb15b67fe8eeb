"""The pure parts of the demo shop: the basket, the plan of the stores, the form, the words."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pickup.shop import basket, checkout, map, presenting

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


# The plan


def test_north_is_up_and_east_is_right():
    lat, lon = BENTONVILLE
    drawn = map.plan(BENTONVILLE, [(lat + 0.1, lon), (lat, lon + 0.1), (lat - 0.1, lon - 0.1)], unit_metres=MILE)

    north, east, south_west = drawn.pins
    assert [pin.number for pin in drawn.pins] == [1, 2, 3]
    assert (north.x, east.y) == (drawn.x, drawn.y)
    assert north.y < drawn.y < south_west.y
    assert south_west.x < drawn.x < east.x
    # The Earth is round: a degree to the east is shorter than one to the north.
    assert (east.x - drawn.x) / (drawn.y - north.y) == pytest.approx(math.cos(math.radians(lat)), rel=0.01)


def test_rings_are_where_the_distance_is_round():
    lat, lon = BENTONVILLE
    miles = 12 * MILE / map.METRES_PER_DEGREE
    drawn = map.plan(BENTONVILLE, [(lat + miles, lon)], unit_metres=MILE)

    assert [round(ring.metres / MILE, 6) for ring in drawn.rings] == [5, 10]
    assert drawn.rings[1].radius == pytest.approx((drawn.y - drawn.pins[0].y) * 10 / 12, abs=0.2)


def test_the_date_line_is_no_border():
    drawn = map.plan((-16.8, 179.99), [(-16.8, -179.99)], unit_metres=1000)

    assert drawn.x < drawn.pins[0].x <= map.WIDTH


def test_stores_at_one_spot_stand_side_by_side():
    drawn = map.plan(BENTONVILLE, [BENTONVILLE] * 4, unit_metres=MILE)

    gaps = [math.dist((a.x, a.y), (b.x, b.y)) for a in drawn.pins for b in drawn.pins if a.number < b.number]
    assert min(gaps) >= map.PIN_GAP
    assert (drawn.pins[0].x, drawn.pins[0].y) == (drawn.x, drawn.y)


spots = st.tuples(st.floats(-80, 80), st.floats(-180, 180))


@given(
    spots, st.lists(st.tuples(st.floats(-0.9, 0.9), st.floats(-0.9, 0.9)), max_size=6), st.sampled_from([MILE, 1000])
)
def test_whatever_is_nearby_is_on_the_plan(place, offsets, unit):
    stores = [(place[0] + north, (place[1] + east + 180) % 360 - 180) for north, east in offsets]
    drawn = map.plan(place, stores, unit_metres=unit)

    assert 1 <= len(drawn.rings) <= 8
    assert len(drawn.pins) == len(stores)
    for pin in drawn.pins:
        assert 0 <= pin.x <= map.WIDTH
        assert 0 <= pin.y <= map.HEIGHT


@pytest.mark.parametrize(
    ("at_least", "number"), [(1, 1), (1.2, 2), (3, 5), (7, 10), (12, 20), (0.3, 0.5), (0.02, 0.02)]
)
def test_round_numbers(at_least, number):
    assert map.round_number(at_least) == pytest.approx(number)


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
