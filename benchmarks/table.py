"""Write the benchmark table into README and docs, from `results/*.json`.

python benchmarks/table.py           write
python benchmarks/table.py --check   exit with 1 if a page is not up to date
"""

import argparse
import json
import sys
from pathlib import Path

from harness import RESULTS, Row

HOME = Path(__file__).parents[1]
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"
HEADS = {
    "en": ("work", "compared with", "ratio", "promised", "", "ours", "theirs"),
    "zh": ("工作", "对比对象", "比值", "承诺", "", "我们", "对方"),
}
SIGNS = {"en": ("reached", "**falls short**"), "zh": ("达到", "**未达到**")}
NOTHING = {"en": "No benchmark has been run yet.", "zh": "还没有运行过基准测试。"}
PAGES = {"README.md": "en", "README.zh-CN.md": "zh", "docs/benchmarks.md": "en"}


def rows() -> list[Row]:
    """Return every row of every result file, by file and then as written."""
    files = sorted(RESULTS.glob("*.json"))
    return [Row(**row) for file in files for row in json.loads(file.read_text(encoding="utf-8"))]


def table(found: list[Row], language: str) -> str:
    """Return the rows as a Markdown table; losses are shown like wins."""
    if not found:
        return NOTHING[language]
    heads = HEADS[language]
    lines = [heads, tuple("---" for _ in heads), *(cells(r, language) for r in found)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cells(row: Row, language: str) -> tuple[str, ...]:
    peer = f"{row.peer} {row.peer_version}".strip()
    sign = SIGNS[language][0 if row.is_reached else 1]
    return (
        row.work, peer, f"{row.ratio:.2f}", f"{row.reach:.2f}", sign,
        told(row.ours), told(row.theirs),
    )  # fmt: skip


def told(side: dict[str, object]) -> str:
    return ", ".join(f"{name} {shown(value)}" for name, value in side.items())


def shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def filled(page: str, content: str) -> str:
    """Return `page` with `content` between its markers."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{content}\n{END}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing")
    check, found, stale = parser.parse_args().check, rows(), []
    for name, language in PAGES.items():
        path = HOME / name
        page = path.read_text(encoding="utf-8")
        wanted = filled(page, table(found, language))
        if wanted != page:
            stale.append(name)
            if not check:
                path.write_text(wanted, encoding="utf-8")
    print("out of date: " + ", ".join(stale) if check and stale else f"{len(found)} rows")
    sys.exit(1 if check and stale else 0)


if __name__ == "__main__":
    main()
