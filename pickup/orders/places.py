"""From what a customer says of a place to coordinates. May ask a geocoder, so: before any transaction."""

from collections.abc import Mapping
from typing import Any

from flask import current_app

from pickup.core.db import db
from pickup.core.errors import InvalidFields, Unavailable
from pickup.orders.finding import Pickup
from pickup.stores.geocoding import Coordinates, GeocoderUnavailable, Geocoding, PlaceNotFound


def read_pickup(where: Mapping[str, Any]) -> Pickup:
    """Understand `near`, `postcode` with `country`, `address` or `store_ref` of a request.

    Raises:
        InvalidFields: no such place; names the field.
        Unavailable: the geocoder does not answer.
    """
    if "store_ref" in where:
        return Pickup(None, where["store_ref"])
    if "near" in where:
        return Pickup(Coordinates(where["near"]["lat"], where["near"]["lon"]), None)
    return Pickup(locate(where, prefix="/pickup"), None)


def locate(where: Mapping[str, Any], *, prefix: str) -> Coordinates:
    """The coordinates of a `postcode` with `country`, or of an `address`; errors name the field behind `prefix`.

    Raises:
        InvalidFields, Unavailable: as above.
    """
    db.session.rollback()  # so far it has only read, and a geocoder is not asked inside a transaction
    geocoding: Geocoding = current_app.extensions["geocoding"]
    field = "postcode" if "postcode" in where else "address"
    try:
        if field == "postcode":
            return geocoding.locate_postcode(where["postcode"], where["country"])
        return geocoding.locate_address(where["address"])
    except PlaceNotFound as error:
        raise InvalidFields.at(f"{prefix}/{field}", str(error)) from None
    except GeocoderUnavailable as error:
        raise Unavailable("The geocoder does not answer.", retry_after_seconds=error.retry_after_seconds or 5) from None
