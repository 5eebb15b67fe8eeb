"""Errors declare what they are."""

import pytest

from pickup.core.errors import DomainError, Kind


def test_an_error_without_a_kind_cannot_be_defined():
    with pytest.raises(TypeError, match="needs a kind"):
        type("Nameless", (DomainError,), {"code": "x", "title": "x"})


def test_every_code_is_used_once():
    from pickup.app import create_app  # noqa: F401  loads every feature

    def below(error):
        for child in error.__subclasses__():
            yield child
            yield from below(child)

    errors = [error for error in below(DomainError) if error.__module__.startswith("pickup.")]
    codes = [error.code for error in errors]
    assert sorted(codes) == sorted(set(codes))
    assert all(isinstance(error.kind, Kind) for error in errors)
