"""Write the benchmark tables into README and docs, from `results/*.json`: every row in docs, a line per work in README.

python benchmarks/table.py           write
python benchmarks/table.py --check   exit with 1 if a page is not up to date
"""

import argparse
import json
import statistics
import sys
from math import inf
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
BRIEF = {
    "en": ("work", "compared with", "promises kept", "smallest ratio / promised", "median ratio"),
    "zh": ("工作", "对比对象", "达到的承诺", "最小比值 / 承诺", "比值中位数"),
}


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


def brief(found: list[Row], language: str) -> str:
    """Return one line per kind of work and peer; losses are counted like wins."""
    if not found:
        return NOTHING[language]
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in found:
        groups.setdefault((kind(row), f"{row.peer} {row.peer_version}".strip()), []).append(row)
    heads = BRIEF[language]
    lines = [heads, tuple("---" for _ in heads)]
    for (work, peer), rows in groups.items():
        kept = sum(row.is_reached for row in rows)
        worst = min(rows, key=lambda row: row.ratio / row.reach if row.reach else inf)
        middle = statistics.median(row.ratio for row in rows)
        told = f"{kept} / {len(rows)}" if kept == len(rows) else f"**{kept} / {len(rows)}**"
        lines.append((work, peer, told, f"{worst.ratio:.2f} / {worst.reach:.2f}", f"{middle:.2f}"))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def kind(row: Row) -> str:
    """Return the name of a kind of work: what stands before the first comma."""
    return row.work.partition(",")[0].partition(":")[0]


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


PAGES = {
    "README.md": ("en", brief),
    "README.zh-CN.md": ("zh", brief),
    "docs/benchmarks.md": ("en", table),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing")
    check, found, stale = parser.parse_args().check, rows(), []
    for name, (language, written) in PAGES.items():
        path = HOME / name
        page = path.read_text(encoding="utf-8")
        wanted = filled(page, written(found, language))
        if wanted != page:
            stale.append(name)
            if not check:
                path.write_text(wanted, encoding="utf-8")
    print("out of date: " + ", ".join(stale) if check and stale else f"{len(found)} rows")
    sys.exit(1 if check and stale else 0)


if __name__ == "__main__":
    main()
