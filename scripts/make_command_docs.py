"""Write docs/commands.md: the help of every command, as it prints.

python scripts/make_command_docs.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from molvae.chem.filters import FILTERS
from molvae.chem.fingerprints import FINGERPRINTS
from molvae.chem.properties import PROPERTIES
from molvae.cli import main as molvae
from molvae.guidance.aims import AIMS
from molvae.guidance.terms import KINDS, OPTIONS
from molvae.metrics.rows import ROWS

TARGET = Path(__file__).resolve().parent.parent / "docs" / "commands.md"


def commands_text() -> str:
    """The help of molvae and of each verb, and what its options may name, in Markdown."""
    parts = ["# Commands\n\nMade by scripts/make_command_docs.py; a test keeps it true.\n"]
    for verb in (None, *molvae.commands.values()):
        name = "molvae" if verb is None else f"molvae {verb.name}"
        command = verb or molvae
        with click.Context(
            command, info_name=name, terminal_width=90, max_content_width=90
        ) as context:
            parts.append(f"## {name}\n\n```text\n{command.get_help(context)}\n```\n")
    properties = [f"| `{name}` | {one.unit} | {one.meaning} |" for name, one in PROPERTIES.items()]
    parts.append("## Properties\n\n| name | unit | what it is |\n|---|---|---|")
    parts += properties
    parts.append("\n## Filters\n\n| name | what it refuses |\n|---|---|")
    parts += [f"| `{name}` | {meaning} |" for name, (_, meaning) in FILTERS.items()]
    parts.append("\n## Fingerprints\n\n| name | what it compares |\n|---|---|")
    parts += [f"| `{name}` | {meaning} |" for name, (_, meaning) in FINGERPRINTS.items()]
    parts.append("\n## Terms of an objective\n\n`KIND=ARGUMENT:AIM,OPTION,...`")
    parts.append("\n| kind | argument | what it is |\n|---|---|---|")
    parts += [f"| `{name}` | {one.written} | {one.meaning} |" for name, one in KINDS.items()]
    parts.append("\n| aim | what it is |\n|---|---|")
    parts += [f"| `{aim.written}` | {aim.meaning} |" for aim in AIMS.values()]
    parts.append("\n| option | what it is |\n|---|---|")
    parts += [f"| `{name}` | {meaning} |" for name, meaning in OPTIONS.items()]
    parts.append("\n## Measures of `evaluate`\n\n| name | what it is |\n|---|---|")
    parts += [f"| `{row.name}` | {row.meaning} |" for row in ROWS]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    if "--print" in sys.argv:
        sys.stdout.write(commands_text())
    else:
        TARGET.write_text(commands_text(), encoding="utf-8")
