"""Every command explains itself, and shared options are spelled the same everywhere."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
import typer
from typer.testing import CliRunner

from cli.motionunion import app as motionunion
from cli.scamo import app as scamo


def commands(app: typer.Typer, name: str) -> Iterator[tuple[list[str], click.Command]]:
    def walk(command: click.Command, path: list[str]) -> Iterator[tuple[list[str], click.Command]]:
        children = getattr(command, "commands", None)  # a group; typer may bring a click of its own
        if children is not None:
            for child in children.values():
                yield from walk(child, [*path, str(child.name)])
        else:
            yield path, command

    yield from walk(typer.main.get_command(app), [name])


EVERY = [*commands(motionunion, "motionunion"), *commands(scamo, "scamo")]


@pytest.mark.parametrize(("path", "command"), EVERY, ids=[" ".join(path) for path, _ in EVERY])
def test_every_command_and_option_has_a_help_text(path: list[str], command: click.Command) -> None:
    assert command.help
    assert len(command.help) > 30, "a newcomer needs a sentence"
    assert "\n" not in command.help.replace("\n\n", ""), "the terminal breaks lines, not the source"
    for parameter in command.params:
        if parameter.param_type_name == "option":
            assert getattr(parameter, "help", None), f"{' '.join(path)} {parameter.opts}"


@pytest.mark.parametrize(("path", "command"), EVERY, ids=[" ".join(path) for path, _ in EVERY])
def test_every_command_prints_json_on_request(path: list[str], command: click.Command) -> None:
    assert "--json" in {name for parameter in command.params for name in parameter.opts}


def test_shared_options_are_spelled_the_same() -> None:
    known = {"store": "--store", "runs": "--runs", "jobs": "--jobs", "as_json": "--json", "device": "--device"}
    for path, command in EVERY:
        for parameter in command.params:
            if parameter.param_type_name == "option" and parameter.name in known:
                assert parameter.opts == [known[parameter.name]], path


@pytest.mark.parametrize("app", [motionunion, scamo])
def test_an_unknown_command_is_wrong_usage(app: typer.Typer) -> None:
    assert CliRunner().invoke(app, ["no-such-command"]).exit_code == 2
