"""Make the README's picture, docs/report.png: `python docs/make_picture.py`.

It kills the lab's worker, runs the checks, and takes a screenshot of the report with Chromium.
Run it again when the report looks different. It needs the `dev` dependency group.
"""  # noqa: INP001 - a script beside the documents, not a package

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "report.png"
FAULT = "worker-killed"

WIDTH, HEIGHT = 1100, 900
"""Pixels: the first screen of the report, with the path, the causes and the first actions."""

BYTES_MAX = 300_000
"""A README should load fast."""


def main() -> None:
    """Run the checks against a broken lab and write the picture of their report."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("Chromium is not installed: apt-get install chromium")
    with tempfile.TemporaryDirectory() as out:
        picture = screenshot(report(Path(out)), chromium)
    if len(picture) > BYTES_MAX:
        sys.exit(f"the picture has {len(picture)} bytes, more than {BYTES_MAX}")
    PICTURE.write_bytes(picture)
    print(f"{PICTURE.relative_to(ROOT)}: {len(picture)} bytes")


def report(out: Path) -> Path:
    """Return the HTML report of a run against a lab of its own whose worker was killed."""
    command = [sys.executable, "-m", "pytest", "--target", "lab", "--fault", FAULT, f"--out={out}"]
    run = subprocess.run(command, cwd=ROOT, check=False)
    if run.returncode != 1:
        sys.exit(f"expected an incident and exit status 1, got {run.returncode}")
    return out / "lab" / "upload_stuck" / "report.html"


def screenshot(page_file: Path, chromium: str) -> bytes:
    """Return the first screen of the page as PNG."""
    with sync_playwright() as playwright:
        # Chromium's sandbox does not start as root, and the page is our own.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(page_file.as_uri())
        picture = page.screenshot()
        browser.close()
    return picture


if __name__ == "__main__":
    main()
