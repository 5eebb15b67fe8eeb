"""Reading CSV that may be anything."""

import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pickup.core.csv_records import RECORD_MAX_CHARACTERS, CsvSource, Record


def read(path: Path, content: bytes) -> list[Record]:
    path.write_bytes(content)
    with CsvSource(str(path)) as source:
        return list(source)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.csv"


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_lines_are_counted_as_an_editor_does(path: Path, line_end: bytes) -> None:
    lines = [b"\xef\xbb\xbfa,b", b"", b'1,"two', b'lines"', b"2,x"]
    records = read(path, line_end.join(lines))
    assert [record.line for record in records] == [1, 3, 5]
    assert records[0].fields == ["a", "b"]
    assert records[1].fields == ["1", f"two{line_end.decode()}lines"]


def test_an_open_quote_costs_its_own_line_only(path: Path) -> None:
    records = read(path, b'a,b\n1,"open\n2,x\n3,"also open\n4,"y"\n5,z\n')
    assert [(record.line, record.fields) for record in records] == [
        (1, ["a", "b"]),
        (2, []),
        (3, ["2", "x"]),
        (4, []),
        (5, ["4", "y"]),
        (6, ["5", "z"]),
    ]
    assert all(record.problem for record in records if not record.fields)


def test_an_open_quote_far_from_the_next_one(path: Path) -> None:
    rows = b"".join(b"%d,x\n" % number for number in range(50_000))
    records = read(path, b'a,b\n1,"open\n' + rows)
    assert len(records) == 50_002
    assert [record.line for record in records if record.problem] == [2]


def test_a_line_without_end_is_one_broken_record(path: Path) -> None:
    content = b"a,b\n" + b"x" * (3 * RECORD_MAX_CHARACTERS + 7) + b"\n1,2\n"
    records = read(path, content)
    assert [record.line for record in records if record.problem] == [2]
    assert (records[-1].line, records[-1].fields) == (3, ["1", "2"])
    assert "".join(record.raw for record in records).encode() == content
    assert max(len(record.raw) for record in records) <= RECORD_MAX_CHARACTERS


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    st.lists(st.sampled_from([b'"', b",", b"\n", b"\r\n", b"\r", b"a", b"\x00", b"\xff", "é".encode()])).map(b"".join)
)
def test_nothing_is_lost_whatever_it_is(path: Path, content: bytes) -> None:
    records = read(path, content)
    raw = "".join(record.raw for record in records).encode("utf-8", "surrogateescape")
    assert [line for line in raw.splitlines() if line] == [line for line in content.splitlines() if line]


def test_a_gzip_file_that_is_cut_off(path: Path) -> None:
    rows = b"a,b\n" + b"".join(b"%d,%d\n" % (number, number * 7919) for number in range(50_000))
    whole = gzip.compress(rows)
    packed = path.with_suffix(".csv.gz")
    packed.write_bytes(whole[: len(whole) // 2])
    with CsvSource(str(packed)) as source:
        records = list(source)
        assert source.problem == "ends before its time"
    # The last line may look whole and be the half of one: 1,79 of 1,7919.
    assert records[-1].problem.startswith("is cut off")
    assert not any(record.problem for record in records[:-1])


@pytest.mark.parametrize("content", [b"not gzip at all", b"\x1f\x8b\x08\x00 and then nonsense"])
def test_a_file_that_only_says_it_is_gzip(path: Path, content: bytes) -> None:
    packed = path.with_suffix(".csv.gz")
    packed.write_bytes(content)
    with CsvSource(str(packed)) as source:
        assert list(source) == []
        assert source.problem
