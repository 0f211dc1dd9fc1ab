"""The build backend: setuptools, and ``ziglang`` where no C compiler works (PEP 517, 660).

Only what builds a wheel ever asks for it: what is installed needs no compiler.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
    build_sdist,
    build_wheel,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

from build_backend.compile import ZIG_REQUIREMENT, system_compiler

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

Settings = Mapping[str, Any] | None


def _compiler_requirement() -> list[str]:
    return [] if system_compiler() else [ZIG_REQUIREMENT]


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    """What pip installs, for the time of the build, before ``build_wheel``."""
    return [*build_meta.get_requires_for_build_wheel(config_settings), *_compiler_requirement()]


def get_requires_for_build_editable(config_settings: Settings = None) -> list[str]:
    """What pip installs, for the time of the build, before ``build_editable``."""
    return [*build_meta.get_requires_for_build_editable(config_settings), *_compiler_requirement()]
