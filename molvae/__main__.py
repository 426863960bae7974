"""`python -m molvae` is `molvae`."""

from molvae.cli import main

main()
