"""The command ``mopse completion``: what a shell completes, as a script of that shell.

The script is made from the commands themselves, is static, and asks nothing when it completes.
"""

import argparse
import dataclasses
import functools
import re
from collections.abc import Iterator

from mopse.cli._command import Commands
from mopse.cli._output import print_line
from mopse.cli._session import add_documented

__all__ = ["add"]


@dataclasses.dataclass(frozen=True)
class _Level:
    """A command, or a group of them, and what may follow it."""

    path: tuple[str, ...]
    """Its name behind those of the commands that it is in."""
    commands: dict[str, str]
    """The commands in it, each with its line of help."""
    flags: dict[str, str]
    """Its options, each with its line of help."""
    values: dict[str, tuple[str, ...]]
    """The options that a value follows, each with the choices there are; none: a file."""
    choices: tuple[str, ...]
    """What its argument may be, where that is one of some words."""

    @property
    def words(self) -> list[str]:
        return [*self.commands, *self.choices, *self.flags]


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_documented(
        commands,
        "completion",
        short="print a script that completes commands in a shell",
        long="""Print a script which has a shell complete commands and options with the tab key. It
        calls nothing.""",
        example="""mopse completion bash > ~/.local/share/bash-completion/completions/mopse
                   mopse completion zsh > ~/.zfunc/_mopse
                   mopse completion fish > ~/.config/fish/completions/mopse.fish""",
    )
    command.add_argument("shell", choices=sorted(_SCRIPTS), help="the shell")
    command.set_defaults(run=functools.partial(_run, commands))


def _run(commands: Commands, given: argparse.Namespace) -> None:
    top = _Level((), _helps(commands), {"--help": "", "--version": ""}, {}, ())
    levels = [top, *_levels(commands, ())]
    for line in _SCRIPTS[given.shell](levels):
        print_line(line)


def _helps(commands: Commands) -> dict[str, str]:
    return {one.dest: " ".join((one.help or "").split()) for one in commands._choices_actions}


def _levels(commands: Commands, above: tuple[str, ...]) -> Iterator[_Level]:
    for name, parser in commands.choices.items():
        path, below = (*above, name), None
        flags, values = {}, {}
        choices: list[str] = []
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                below = action
            elif not action.option_strings:
                choices += map(str, action.choices or ())
            for flag in action.option_strings:
                if flag.startswith("--"):
                    flags[flag] = " ".join((action.help or "").split()).replace("%(default)s", "")
                    if action.nargs != 0:
                        values[flag] = tuple(map(str, action.choices or ()))
        commands_in = {} if below is None else _helps(below)
        yield _Level(path, commands_in, flags, values, tuple(choices))
        if below is not None:
            yield from _levels(below, path)


def _bash(levels: list[_Level]) -> Iterator[str]:
    yield "# Completes mopse in bash."
    yield "_mopse() {"
    yield "  local at= words= i"
    yield "  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}"
    yield "  for ((i = 1; i < COMP_CWORD; i++)); do"
    yield '    case "$at ${COMP_WORDS[i]}" in'
    yield f'      {_patterns(levels)}) at+=" ${{COMP_WORDS[i]}}" ;;'
    yield "    esac"
    yield "  done"
    yield "  COMPREPLY=()"
    yield from _cases(levels, "before", files="return")
    yield '  COMPREPLY=($(compgen -W "$words" -- "$current"))'
    yield "}"
    yield "complete -o default -F _mopse mopse"


def _zsh(levels: list[_Level]) -> Iterator[str]:
    yield "#compdef mopse"
    yield "# Completes mopse in zsh."
    yield "_mopse() {"
    yield "  local before=${words[CURRENT-1]} at= known= i"
    yield "  for ((i = 2; i < CURRENT; i++)); do"
    yield '    case "$at ${words[i]}" in'
    yield f'      {_patterns(levels)}) at+=" ${{words[i]}}" ;;'
    yield "    esac"
    yield "  done"
    yield from (
        line.replace("words=", "known=")
        for line in _cases(levels, "before", files="_files; return")
    )
    yield "  compadd -- ${=known}"
    yield "  [[ ${words[CURRENT]} == -* ]] || _files"
    yield "}"
    yield 'if [[ $funcstack[1] == _mopse ]]; then _mopse "$@"; else compdef _mopse mopse; fi'


def _patterns(levels: list[_Level]) -> str:
    """Return the commands, each behind those that it is in, as a pattern of a shell."""
    return "|".join(f'" {" ".join(level.path)}"' for level in levels if level.path)


def _cases(levels: list[_Level], before: str, files: str) -> Iterator[str]:
    """Yield what sets ``words`` to what may come next, or has files completed."""
    yield f'  case "$at ${before}" in'
    for level in levels:
        for flag, choices in level.values.items():
            pattern = f'"{"".join(f" {name}" for name in level.path)} {flag}"'
            yield (
                f"    {pattern}) " + (f"words='{' '.join(choices)}'" if choices else files) + " ;;"
            )
    yield '    *) case "$at" in'
    for level in levels:
        pattern = f'"{"".join(f" {name}" for name in level.path)}"'
        yield f"      {pattern}) words='{' '.join(level.words)}' ;;"
    yield "    esac ;;"
    yield "  esac"


def _fish(levels: list[_Level]) -> Iterator[str]:
    yield "# Completes mopse in fish."
    yield "function __mopse_at"
    yield "  set -l at"
    yield "  for word in (commandline -opc)[2..]"
    yield '    switch "$at $word"'
    patterns = " ".join(f"' {' '.join(level.path)}'" for level in levels if level.path)
    yield f"      case {patterns}"
    yield '        set at "$at $word"'
    yield "    end"
    yield "  end"
    yield '  test "$at" = "$argv[1]"'
    yield "end"
    for level in levels:
        where = f"""complete -c mopse -n "__mopse_at '{"".join(f" {n}" for n in level.path)}'" """
        for name, line in level.commands.items():
            yield f"{where}-f -a {name} -d {_in_quotes(line)}"
        for name in level.choices:
            yield f"{where}-f -a {name}"
        for flag, line in level.flags.items():
            takes = ""
            if flag in level.values:
                choices = level.values[flag]
                takes = f" -x -a {_in_quotes(' '.join(choices))}" if choices else " -r"
            yield f"{where}-l {flag[2:]}{takes} -d {_in_quotes(line)}"


def _in_quotes(line: str) -> str:
    return "'" + re.sub(r"([\\'])", r"\\\1", line) + "'"


_SCRIPTS = {"bash": _bash, "fish": _fish, "zsh": _zsh}
