"""What shells complete, asked of the shells themselves, and what each command says of itself."""

import argparse
import shlex
import shutil
import subprocess

import pytest

from mopse.cli import _main, main

ASKED = [
    (["owner", "au"], ["authorize"]),
    (["ask", "--pr"], ["--proof"]),
    (["completion", "z"], ["zsh"]),
    (["owner", "new", "--keyring", "x", "--sch"], ["--schema"]),
    (["enc"], ["encrypt"]),
    (["store", "check", "--he"], ["--help"]),
]
BASH = """
source $1; shift
COMP_WORDS=(mopse "$@"); COMP_CWORD=$#
_mopse
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """
compdef() { : }; _files() { : }
compadd() { shift; print -rl -- ${(M)@:#${words[CURRENT]}*} }
source $1; shift
words=(mopse "$@"); CURRENT=${#words}
_mopse
"""
FISH = "source $argv[1]; complete -C \"mopse $argv[2..]\" | string replace -r '\\t.*' ''; true"


PARSER = argparse.ArgumentParser()


def commands() -> dict[tuple[str, ...], argparse.ArgumentParser]:
    """Return every command by its name, behind those that it is in."""
    action = PARSER.add_subparsers()
    for command in _main._COMMANDS:
        command.add(action)
    found, waiting = {}, [((), action)]
    while waiting:
        above, one = waiting.pop()
        for name, inner in one.choices.items():
            found[*above, name] = inner
            waiting += [
                ((*above, name), below)
                for below in inner._actions
                if isinstance(below, argparse._SubParsersAction)
            ]
    return found


COMMANDS = commands()


@pytest.fixture
def script(tmp_path, capsys, request):
    shell = request.param
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    main(["completion", shell])
    path = tmp_path / f"mopse.{shell}"
    path.write_text(capsys.readouterr().out)
    return shell, path


def completed(script, words: list[str]) -> list[str]:
    """Return what a shell completes the last of some words to."""
    shell, path = script
    code = {"bash": BASH, "zsh": ZSH, "fish": FISH}[shell]
    quiet = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    name = [] if shell == "fish" else [shell]
    command = [shell, *quiet, "-c", code, *name, str(path), *words]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert ran.stderr == ""
    return ran.stdout.split()


@pytest.mark.parametrize("script", ["bash", "zsh", "fish"], indirect=True)
def test_a_shell_completes_commands_options_and_choices(script):
    for words, expected in ASKED:
        assert completed(script, words) == expected


@pytest.mark.parametrize("script", ["bash", "zsh", "fish"], indirect=True)
def test_a_shell_knows_every_command_and_option(script):
    for path, parser in COMMANDS.items():
        if path[0] in ("ask", "encrypt", "owner", "store"):
            flags = {flag for one in parser._actions for flag in one.option_strings}
            known = completed(script, [*path, "--"])
            assert set(known) == {flag for flag in flags if flag.startswith("--")}, path
    names = {path[0] for path in COMMANDS}
    assert {word for word in completed(script, [""]) if not word.startswith("-")} >= names


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_command_of_the_parties_shows_an_example_that_it_understands(path, capsys):
    with pytest.raises(SystemExit) as left:
        main([*path, "--help"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    has_more = any(isinstance(one, argparse._SubParsersAction) for one in COMMANDS[path]._actions)
    if path[0] in ("demo", "evaluate", "attack", "labs", "store") or has_more:
        return
    _, _, example = said.partition("Example:\n\n")
    for line in example.partition("\n\n")[0].replace("\\\n", " ").splitlines():
        words = shlex.split(line.partition(" > ")[0])
        assert words[: len(path) + 1] == ["mopse", *path]
        assert callable(PARSER.parse_args(words[1:]).run)


def test_secrets_are_neither_arguments_nor_in_the_environment():
    for path, parser in COMMANDS.items():
        for action in parser._actions:
            if "password" in action.dest or "key" in action.dest:
                known = {"keyring", "other_keyring", "keyword", "tls_key"}
                known |= {"password_fd", "new_password_fd", "with_password_fd"}
                assert action.dest in known, path
