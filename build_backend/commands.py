"""Two commands of setuptools, each with what the core adds to it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

from align_cli.native.library import library_path
from build_backend.compile import Failed, build

NATIVE: Final = Path("align_cli", "native")


class BuildWithCore(build_py):
    """The Python files, and the core beside them: in the working copy if that is what is used."""

    def _folder(self) -> Path:
        return NATIVE if self.editable_mode else Path(self.build_lib) / NATIVE

    def run(self) -> None:
        """Copy the files, compile the core."""
        super().run()
        try:
            build(self._folder().absolute())
        except Failed as error:
            raise SystemExit(f"imalign's native core cannot be compiled: {error}") from error

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Paths of everything that is built."""
        return [*super().get_outputs(include_bytecode), str(library_path(self._folder()))]


class PlatformWheel(bdist_wheel):
    """A wheel for any Python 3 of one platform: ctypes loads the core, no Python's ABI matters."""

    def finalize_options(self) -> None:
        """What it holds goes where a platform's own files go."""
        # Several commands ask this one question, and setuptools knows of no core.
        self.distribution.has_ext_modules = lambda: True  # type: ignore[method-assign]
        super().finalize_options()

    def get_tag(self) -> tuple[str, str, str]:
        """Python, ABI, platform."""
        return "py3", "none", super().get_tag()[2]
