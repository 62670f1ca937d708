"use strict";
(() => {
  const root = document.documentElement;
  const { config, pictures } = JSON.parse(document.getElementById("pictures").textContent);
  const views = new Map();

  function remembered() {
    try { return localStorage.getItem("fivefold-theme"); } catch { return null; }
  }

  function setUpTheme() {
    const button = document.getElementById("theme");
    const before = remembered();
    if (before === "dark" || before === "light") root.dataset.theme = before;
    button.hidden = false;
    button.addEventListener("click", () => {
      const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = isDark ? "light" : "dark";
      try { localStorage.setItem("fivefold-theme", root.dataset.theme); } catch { /* a file may have no storage */ }
    });
  }

  async function draw(place) {
    const number = Number(place.dataset.picture);
    if (views.get(place)?.number === number) return;
    views.get(place)?.result?.finalize();
    const spec = structuredClone(pictures[number]);
    if ("width" in spec) spec.width = "container";
    views.set(place, { number });
    const result = await vegaEmbed(place, { $schema: "https://vega.github.io/schema/vega-lite/v6.4.1.json", config, ...spec }, { ast: true, actions: false, renderer: "svg", tooltip: { theme: "fivefold" } });
    views.set(place, { number, result });
    place.dataset.drawn = "yes";
  }

  const places = [...document.querySelectorAll(".drawing")];

  function setUpPictures() {
    const watcher = new IntersectionObserver((entries) => {
      for (const entry of entries) if (entry.isIntersecting) { watcher.unobserve(entry.target); draw(entry.target); }
    }, { rootMargin: "600px" });
    places.forEach((place) => watcher.observe(place));
    addEventListener("beforeprint", () => places.forEach(draw));
  }

  function setUpChoices() {
    document.querySelectorAll(".choose").forEach((choice) => { choice.hidden = false; });
    document.querySelectorAll("select[data-gallery]").forEach((select) => {
      const place = select.closest(".gallery").querySelector(".drawing");
      select.addEventListener("change", () => { place.dataset.picture = select.value; draw(place); fillRows(place.closest("figure")); });
    });
    document.querySelectorAll("select[data-signal]").forEach((select) => {
      const place = select.closest(".card").querySelector(".drawing");
      select.addEventListener("change", () => views.get(place)?.result?.view.signal(select.dataset.signal, select.value).runAsync());
    });
  }

  const rowsOf = (figure) => pictures[Number(figure.querySelector(".drawing").dataset.picture)].data.values;

  function element(name, text) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function fillRows(figure) {
    if (!figure.querySelector("details").open) return;
    const rows = rowsOf(figure);
    const names = Object.keys(rows[0] ?? {});
    const table = element("table"), head = table.createTHead().insertRow(), body = table.createTBody();
    table.className = "plain";
    names.forEach((name) => head.append(element("th", name)));
    for (const row of rows) {
      const line = body.insertRow();
      names.forEach((name) => line.append(element("td", String(row[name] ?? ""))));
    }
    figure.querySelector(".rows-table").replaceChildren(table);
  }

  function setUpData() {
    document.querySelectorAll("figure.picture").forEach((figure) => {
      figure.querySelector("details").addEventListener("toggle", () => fillRows(figure));
      figure.querySelector(".download").addEventListener("click", () => {
        const link = element("a");
        link.href = URL.createObjectURL(new Blob([JSON.stringify(rowsOf(figure), null, 1)], { type: "application/json" }));
        link.download = "fivefold.json";
        link.click();
        URL.revokeObjectURL(link.href);
      });
    });
  }

  function setUpTips() {
    const tip = document.getElementById("tip");
    const hide = () => { tip.hidden = true; };
    const show = (event) => {
      const cell = event.currentTarget, box = cell.getBoundingClientRect();
      tip.textContent = cell.dataset.tip;
      tip.hidden = false;
      tip.style.left = `${Math.max(8, Math.min(box.left, innerWidth - tip.offsetWidth - 8))}px`;
      tip.style.top = `${box.bottom + tip.offsetHeight + 12 < innerHeight ? box.bottom + 6 : box.top - tip.offsetHeight - 6}px`;
    };
    document.querySelectorAll("td[data-tip]").forEach((cell) => {
      cell.removeAttribute("title");
      cell.tabIndex = 0;
      cell.setAttribute("aria-description", cell.dataset.tip);
      cell.addEventListener("pointerenter", show);
      cell.addEventListener("focus", show);
      cell.addEventListener("pointerleave", hide);
      cell.addEventListener("blur", hide);
    });
    addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
    addEventListener("scroll", hide, { passive: true });
  }

  setUpTheme();
  setUpChoices();
  setUpPictures();
  setUpData();
  setUpTips();
})();
