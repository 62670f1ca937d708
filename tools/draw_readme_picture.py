"""Draw the picture at the top of the README: the matrix of a real run, photographed in Chromium.

fivefold run recipes/medical.toml
python tools/draw_readme_picture.py runs/medical
"""

import argparse
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import sync_playwright

from fivefold.recipe import read_run
from fivefold.report import Matrix, matrix
from fivefold.report.fragment import matrix_html

IMAGES = Path(__file__).parents[1] / "docs/images"
SHOWN = (
    "learning.accuracy", "explanation.faithfulness", "explanation.attribution_agreement",
    "privacy.epsilon", "privacy.attack_auc", "generalization.robust_accuracy",
    "generalization.corruption_accuracy", "efficiency.saved_bytes", "efficiency.speedup",
    "security.extraction_fidelity",
)  # fmt: skip
WIDTH = 1240


def chosen(table: Matrix) -> Matrix:
    """Return the rows that fit a picture: one or two of each axis."""
    rows = [r for name in SHOWN for r in table.rows if r.key.partition("[")[0] == name]
    kept = {r.key.partition("[")[0]: r for r in rows}
    return replace(table, rows=tuple(r for r in table.rows if r in kept.values()))


def photograph(html: str, file: Path) -> None:
    """Write what Chromium shows of `html`."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        page_file = Path(folder) / "matrix.html"
        page_file.write_text(
            f'<!doctype html><meta charset="utf-8"><body style="margin:12px;background:#fff">{html}',
            encoding="utf-8",
        )
        browser = play.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page(viewport={"width": WIDTH, "height": 400}, color_scheme="light")
        page.goto(page_file.as_uri())
        page.screenshot(path=file, full_page=True)
        browser.close()


def main() -> None:
    """Draw the matrix of the run folder that was named, in both languages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    table = chosen(matrix(read_run(parser.parse_args().run)))
    IMAGES.mkdir(parents=True, exist_ok=True)
    photograph(matrix_html(table), IMAGES / "matrix.png")
    photograph(matrix_html(table, "zh"), IMAGES / "matrix.zh.png")


if __name__ == "__main__":
    main()
