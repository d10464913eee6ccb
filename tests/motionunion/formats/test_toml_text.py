"""TOML as it is, and what is refused because reading it would cost too much."""

from __future__ import annotations

import tracemalloc

import pytest

from motionunion.formats.toml_text import parse_toml


def test_toml_is_read_whatever_its_strings_hold() -> None:
    dots = " ".join(f"Bip01.L.Joint{k}" for k in range(60))
    text = f'"a.b".c = 1\nnames = "{dots}"\nlong = """\n{dots}\n"""\n[table.of.tables]\nx = 1.5\n'
    assert parse_toml(text) == {
        "a.b": {"c": 1}, "names": dots, "long": dots + "\n", "table": {"of": {"tables": {"x": 1.5}}},
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "x = ", "x = 1\nx = 2", "x = " + "9" * 5000, "x = " + "[" * 5000, "#" * (1 << 21),
        ".".join("a" * 40) + " = 1", ".".join(['"="', *("a" * 40)]) + " = 1", ".".join([r'"\""', *("a" * 40)]) + ' = "x"',
    ],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_what_is_no_toml_or_endless_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_toml(text)


def test_a_key_of_thousands_of_parts_takes_no_memory() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="a key of more than 32 parts \\(at line 2\\)"):
            parse_toml("x = 1\n" + ".".join("1" * 25_000) + " = 1")
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()
