"""The evidence in a real browser: both languages, both schemes, wide and narrow, nothing asked of anybody."""

import pytest

from fivefold.core.text import Language
from fivefold.report.exports import FrameworkName, evidence_page, sheet

pytestmark = pytest.mark.browser


@pytest.fixture
def look(browser, tmp_path):
    """Return a function that opens evidence and gives the page, with what it asked for or complained of."""
    contexts = []

    def opened(
        subject,
        name: FrameworkName = "annex-iv",
        language: Language = "en",
        width=1300,
        scheme="light",
    ):
        file = tmp_path / "evidence.html"
        file.write_text(evidence_page(sheet(name, subject, language)), encoding="utf-8")
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=False
        )
        contexts.append(context)
        page, seen = context.new_page(), []
        page.on("request", lambda r: r.url != file.as_uri() and seen.append(r.url))
        page.on("console", lambda m: seen.append(m.text))
        page.on("pageerror", lambda e: seen.append(str(e)))
        page.on("dialog", lambda d: (seen.append(d.message), d.dismiss()))
        page.goto(file.as_uri())
        return page, seen

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize("width", [1300, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_fits_the_screen_and_asks_for_nothing(look, stated, language, scheme, width):
    page, seen = look(stated, "cn", language, width, scheme)
    assert seen == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    answered = sheet("cn", stated, language)
    assert page.locator("article").count() == len(answered.answers)
    counts = [int(t) for t in page.locator(".counts .value").all_inner_texts()]
    assert counts == list(answered.counts.values())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_badge_can_be_read(look, stated, scheme):
    page, _ = look(stated, scheme=scheme)
    contrasts = page.evaluate(CONTRAST)
    assert contrasts
    assert min(contrasts.values()) >= 4.5, contrasts


def test_hostile_words_run_nothing(look, hostile):
    page, seen = look(hostile)
    assert seen == []
    assert page.locator("main script, main img").count() == 0


def test_every_link_of_the_bar_leads_to_its_section(look, subject):
    page, _ = look(subject, "nist")
    links = page.locator(".bar nav a")
    assert links.count() == 3
    for i in range(links.count()):
        target = links.nth(i).get_attribute("href")
        assert page.locator(f"{target} h2").inner_text() == links.nth(i).inner_text()


CONTRAST = """() => {
  const parse = (c) => { const n = c.match(/[\\d.]+/g).map(Number); return [n[0], n[1], n[2], n[3] ?? 1]; };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3]));
  const light = (c) => { const l = c.map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * l[2]; };
  const found = {};
  for (const badge of document.querySelectorAll(".ff-badge")) {
    const paper = parse(getComputedStyle(badge.closest(".card")).backgroundColor);
    const style = getComputedStyle(badge);
    const behind = over(parse(style.backgroundColor), paper);
    const a = light(over(parse(style.color), behind)), b = light(behind);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    found[badge.className] = Math.min(found[badge.className] ?? 99, ratio);
  }
  return found;
}"""
