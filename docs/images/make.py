"""Draw the picture of README.md: `python docs/images/make.py` (or `make picture`).

Three panels: the target and the source as they are, one in red and one in cyan; the aligned source;
and the overlay again, after the alignment. Where both images agree an overlay is grey.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli import align

HERE = Path(__file__).resolve().parent
SAMPLES = HERE.parents[1] / "sample_data"

PANEL = (336, 252)  # width, height
GAP = 6
CAPTION = 26
COLOURS = 160  # of the palette: keeps the file small

Image = NDArray[np.uint8]


def overlay(target: Image, source: Image) -> Image:
    """The target in red, the source in green and blue (cyan); grey where they are the same."""
    red, cyan = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (target, source))
    return np.dstack([red, cyan, cyan])


def panel(picture: Image, caption: str) -> Image:
    """A picture, reduced, above its caption."""
    small = cv2.resize(picture, PANEL, interpolation=cv2.INTER_AREA)
    strip = np.full((CAPTION, PANEL[0], 3), 255, np.uint8)
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.45
    (width, _), _ = cv2.getTextSize(caption, font, scale, 1)
    left = (PANEL[0] - width) // 2
    cv2.putText(strip, caption, (left, 17), font, scale, (40, 40, 40), 1, cv2.LINE_AA)
    return np.vstack([small, strip])


def picture() -> Image:
    """The three panels side by side, RGB."""
    source, target = (
        cv2.cvtColor(cv2.imread(str(SAMPLES / f"poster_{role}.png")), cv2.COLOR_BGR2RGB)
        for role in ("source", "target")
    )
    found = align(source, target)
    warped, reached = found.warp(source), found.valid_mask()
    after = np.where(reached[..., np.newaxis], overlay(target, warped), 255).astype(np.uint8)
    panels = [
        panel(overlay(target, source), "before: target red, source cyan"),
        panel(warped, "the aligned source"),
        panel(after, "after: grey where they agree"),
    ]
    gap = np.full((panels[0].shape[0], GAP, 3), 255, np.uint8)
    return np.hstack([panels[0], gap, panels[1], gap, panels[2]])


def main() -> None:
    """Write before_after.png beside this file."""
    from PIL import Image as Pillow  # noqa: PLC0415  (the test needs the pixels only)

    path = HERE / "before_after.png"
    Pillow.fromarray(picture()).quantize(COLOURS, dither=Pillow.Dither.NONE).save(
        path, optimize=True
    )
    print(f"wrote {path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
