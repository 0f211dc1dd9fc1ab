"""The package's public names can be imported, each from where it is defined."""

from __future__ import annotations

import pytest

import align_cli


@pytest.mark.parametrize("name", align_cli.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    found = getattr(align_cli, name)
    if name != "__version__":
        assert found.__name__ == name
        assert found.__module__ == align_cli._HOMES[name]


def test_what_is_not_public_is_refused() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = align_cli.Nothing
