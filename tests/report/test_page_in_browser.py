"""The page in a real browser: both languages, both colour schemes, no network, with and without JavaScript."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def files(pages, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    for language, html in pages.items():
        (folder / f"{language}.html").write_text(html, encoding="utf-8")
    return {language: folder / f"{language}.html" for language in pages}


class Watched:
    """A page with the network cut, and everything it complained about or asked for."""

    def __init__(self, browser, file: Path, **context) -> None:
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda r: self.requests.append(r.url))
        self.page.on(
            "console", lambda m: m.type in ("error", "warning") and self.complaints.append(m.text)
        )
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.page.route(
            "**/*", lambda r: r.continue_() if r.request.url == file.as_uri() else r.abort()
        )
        self.page.goto(file.as_uri())

    def draw_all(self) -> int:
        places = self.page.locator(".drawing")
        for i in range(places.count()):
            places.nth(i).scroll_into_view_if_needed()
        self.page.wait_for_function(
            "[...document.querySelectorAll('.drawing')].every(d => d.dataset.drawn)"
        )
        return places.count()


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 420])
def test_it_draws_everything_and_asks_for_nothing(browser, files, language, scheme, width):
    seen = Watched(
        browser, files[language], color_scheme=scheme, viewport={"width": width, "height": 900}
    )
    n = seen.draw_all()
    assert n >= 6
    assert seen.page.locator(".drawing svg").count() == n
    assert seen.page.locator("table.ff-matrix").is_visible()
    assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert seen.requests == [files[language].as_uri()]
    assert seen.complaints == []
    seen.context.close()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_reads_without_javascript(browser, files, language):
    seen = Watched(
        browser, files[language], java_script_enabled=False, viewport={"width": 1400, "height": 900}
    )
    assert seen.page.locator("table.ff-matrix").is_visible()
    assert seen.page.locator("table.plain").count() > 10
    assert seen.page.locator(".still svg").count() >= 6
    assert not seen.page.locator("#theme").is_visible()
    assert seen.requests == [files[language].as_uri()]
    seen.context.close()


def test_choices_theme_and_data_work(browser, files):
    seen = Watched(
        browser, files["en"], color_scheme="light", viewport={"width": 1400, "height": 900}
    )
    page = seen.page
    seen.draw_all()
    before = page.locator("[data-pictures=pareto] svg").inner_html()
    page.locator("select[data-signal=xkey]").select_option(index=3)
    page.wait_for_timeout(300)
    assert page.locator("[data-pictures=pareto] svg").inner_html() != before
    gallery = page.locator(".gallery:has(select[data-gallery])").first
    before = gallery.locator("svg").inner_html()
    gallery.locator("select").select_option(index=1)
    page.wait_for_timeout(300)
    assert gallery.locator("svg").inner_html() != before
    gallery.locator("summary").click()
    gallery.locator(".rows-table tbody tr").nth(3).wait_for()
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.locator("#theme").click()
    assert page.evaluate(background) != light
    assert seen.complaints == []
    seen.context.close()


CONTRAST = """() => {
  const luminance = (c) => { const v = c.map((x) => { x /= 255; return x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; }); return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
  const parse = (s) => { const n = s.match(/[\\d.]+/g).map(Number); return [n.slice(0, 3), n.length > 3 ? n[3] : 1]; };
  const over = (top, a, under) => top.map((x, i) => x * a + under[i] * (1 - a));
  const ground = (e) => { if (!e) return [255, 255, 255]; const [c, a] = parse(getComputedStyle(e).backgroundColor); return a === 1 ? c : over(c, a, ground(e.parentElement)); };
  const low = [];
  for (const e of document.querySelectorAll("main *, header *, footer")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || e.closest("svg, [aria-hidden=true], .visually-hidden, noscript") || !e.getClientRects().length) continue;
    const style = getComputedStyle(e), under = ground(e), [c, a] = parse(style.color);
    const text = over(c, a * Number(style.opacity), under);
    const [x, y] = [luminance(text), luminance(under)].sort((p, q) => q - p);
    if ((x + 0.05) / (y + 0.05) < 4.5) low.push(`${e.className || e.tagName}: ${((x + 0.05) / (y + 0.05)).toFixed(2)} ${e.textContent.trim().slice(0, 30)}`);
  }
  return [...new Set(low)];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_words_have_the_contrast_that_wcag_aa_asks_for(browser, files, scheme):
    seen = Watched(
        browser, files["en"], color_scheme=scheme, viewport={"width": 1400, "height": 900}
    )
    assert seen.page.evaluate(CONTRAST) == []
    seen.context.close()
