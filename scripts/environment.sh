# Sourced by scripts/demo and scripts/check: the virtual environment that is active, or .venv of
# the repository, made with the pinned versions when it isn't there or they have changed.
if [ -z "${VIRTUAL_ENV:-}" ]; then
    python="${PYTHON:-python3}"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
        echo "molvae needs Python 3.11 or newer; $("$python" --version) was found. Set PYTHON." >&2
        exit 1
    }
    wanted="$(cat constraints.txt pyproject.toml | cksum)"
    if [ "$(cat .venv/wanted 2>/dev/null)" != "$wanted" ]; then
        echo "Installing into .venv ..." >&2
        "$python" -m venv .venv
        .venv/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
        echo "$wanted" > .venv/wanted
    fi
    . .venv/bin/activate
fi
