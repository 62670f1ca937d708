"use strict";
// Everything that comes from the server is put into text nodes, never into markup.
const told = JSON.parse(document.getElementById("told").textContent);
const word = (key, facts) => {
  let said = told.words[key] ?? key;
  for (const name in facts) said = said.replace("{" + name + "}", () => facts[name]);
  return said;
};
const SVG = "http://www.w3.org/2000/svg";
const find = (query) => document.querySelector(query);

function put(kind, facts, ...inside) {
  const made = kind in HTML ? document.createElement(kind) : document.createElementNS(SVG, kind);
  for (const name in facts) made.setAttribute(name, facts[name]);
  made.append(...inside.map((one) => (one instanceof Node ? one : String(one))));
  return made;
}
const HTML = Object.fromEntries(["table", "thead", "tbody", "tr", "th", "td", "small", "i", "span"].map((n) => [n, 1]));

// Numbers for people
const short = (x, digits = 3) => (x === null || x === undefined ? "–" : Math.abs(x) >= 1000 ? Math.round(x).toLocaleString("en-US") : String(Number(Number(x).toPrecision(digits))));
const percent = (x) => (x === null || x === undefined ? "–" : short(100 * x) + " %");
const time = (s) => (s === null || s === undefined ? "–" : s >= 1 ? short(s) + " s" : short(1000 * s) + " ms");
const whole = (x) => x.toLocaleString("en-US");

// Tiles
function tile(id, value, unit, what, isAlert) {
  const place = find("#tile-" + id);
  place.querySelector(".value").replaceChildren(value, ...(unit ? [put("small", {}, unit)] : []));
  if (what !== undefined) place.querySelector(".what").textContent = what;
  place.classList.toggle("alert", Boolean(isAlert));
}
const interval = (x, show) => (x ? `[${show(x.low)}, ${show(x.high)}] · n = ${whole(x.n)}` : word("nothing yet"));

function tiles(state) {
  const t = state.tiles;
  tile("rate", short(t.rate));
  const p95 = t.p95 ? time(t.p95.value).split(" ") : ["–", ""];
  tile("p95", p95[0], p95[1], interval(t.p95, (x) => time(x)));
  tile("refused", t.refused === null ? "–" : short(100 * t.refused), t.refused === null ? "" : "%");
  const loud = t.alarms && t.alarms.chance !== null && t.alarms.low > t.alarms.chance;
  tile("alarms", t.alarms ? short(100 * t.alarms.value) : "–", t.alarms ? "%" : "", t.alarms && t.alarms.chance !== null ? word("chance {x}", { x: percent(t.alarms.chance) }) : word("nothing yet"), loud);
  tile("drifted", t.watched ? String(t.drifted) : "–", t.watched ? "/ " + t.watched : "", t.watched ? word(t.drifted ? "drifted" : "no drift shown") : word("nothing yet"), t.drifted > 0);
  tile("right", t.right ? (state.is_classification ? short(100 * t.right.value) : short(t.right.value)) : "–", t.right && state.is_classification ? "%" : "", interval(t.right, state.is_classification ? percent : short));
}

// Drawings
function canvas(id, height) {
  const card = find("#" + id), svg = card.querySelector("svg");
  const width = Math.max(svg.getBoundingClientRect().width, 240);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("height", height);
  svg.replaceChildren();
  return { card, svg, width, height };
}
const empty = (card, isEmpty) => { card.querySelector(".none").hidden = !isEmpty; };

function nice(most) {
  if (!(most > 0)) return 1;
  const size = 10 ** Math.floor(Math.log10(most));
  return size * [1, 2, 2.5, 5, 10].find((k) => k * size >= most * 0.999);
}

function lines(id, step, series, show, most = 0) {
  const { card, svg, width, height } = canvas(id, 190);
  const known = series.flatMap((s) => s.values).filter((v) => v !== null);
  empty(card, !known.length);
  if (!known.length) return;
  const left = 52, right = 10, top = 10, bottom = 24, n = series[0].values.length;
  const ceiling = nice(Math.max(most, ...known));
  const x = (i) => left + ((width - left - right) * i) / (n - 1);
  const y = (v) => top + (height - top - bottom) * (1 - v / ceiling);
  for (const part of [0, 0.5, 1]) {
    svg.append(put("line", { class: "rule", x1: left, x2: width - right, y1: y(part * ceiling), y2: y(part * ceiling) }));
    svg.append(put("text", { x: left - 8, y: y(part * ceiling) + 4, "text-anchor": "end" }, show(part * ceiling)));
  }
  for (const ago of [n - 1, Math.round((n - 1) / 2), 0]) {
    const said = ago ? word("{n} s ago", { n: Math.round(ago * step) }) : word("now");
    svg.append(put("text", { x: x(n - 1 - ago), y: height - 5, "text-anchor": ago === n - 1 ? "start" : ago ? "middle" : "end" }, said));
  }
  if (most) svg.append(put("line", { class: "dash", x1: left, x2: width - right, y1: y(most), y2: y(most) }));
  for (const one of series) stroke(svg, one, x, y, height - bottom);
}

function stroke(svg, one, x, y, ground) {
  let run = [];
  const close = () => {
    if (one.area && run.length > 1) svg.append(put("path", { class: one.area, d: `M${run[0][0]},${ground}L${run.map((p) => p.join()).join("L")}L${run.at(-1)[0]},${ground}Z` }));
    if (run.length > 1) svg.append(put("path", { class: one.line, d: "M" + run.map((p) => p.join()).join("L") }));
    else if (run.length) svg.append(put("circle", { class: one.line.replace("l", "d"), cx: run[0][0], cy: run[0][1], r: 2 }));
    run = [];
  };
  one.values.forEach((v, i) => (v === null ? close() : run.push([x(i).toFixed(1), y(v).toFixed(1)])));
  close();
}

// Names are measured, not guessed: one that does not fit beside its bar is written above it, whole
const ruler = document.createElement("canvas").getContext("2d");
ruler.font = "650 12px " + getComputedStyle(document.body).fontFamily;
const wide = (text) => ruler.measureText(text).width;
const LINE = 15, MOST_LINES = 4;

function wrapped(text, room) {
  const lines = [""];
  const add = (part) => { if (wide(lines.at(-1) + part) <= room || !lines.at(-1)) lines[lines.length - 1] += part; else lines.push(part); };
  for (const part of text.slice(0, 400).split(/(?<=[\s_./-])/)) for (const piece of wide(part) <= room ? [part] : part) add(piece);
  return lines.length > MOST_LINES || text.length > 400 ? [...lines.slice(0, MOST_LINES - 1), lines[MOST_LINES - 1] + "…"] : lines;
}

function bars(id, rows, each, draw, end = 52) {
  const width = canvas(id, 0).width, longest = Math.max(60, ...rows.map((r) => wide(r.name) + 10));
  const isBeside = longest <= width * 0.38, room = isBeside ? longest : 0;
  const lines = rows.map((row) => (isBeside ? [row.name] : wrapped(row.name, width - 6)));
  const heights = lines.map((l) => each + (isBeside ? 0 : l.length * LINE));
  const { card, svg } = canvas(id, Math.max(190, heights.reduce((sum, h) => sum + h, 6)));
  empty(card, !rows.length);
  let ground = 4;
  rows.forEach((row, i) => {
    const top = ground + heights[i] - each, middle = top + each / 2;
    const name = put("text", { class: row.drifted ? "name hot" : "name", "text-anchor": isBeside ? "end" : "start" }, put("title", {}, row.name));
    const y = isBeside ? middle + 4 : ground + 13;
    lines[i].forEach((line, k) => name.append(put("tspan", { x: isBeside ? room - 10 : 2, y: y + k * LINE }, line)));
    svg.append(name);
    draw(row, { svg, x: (v) => room + (width - room - end) * Math.min(1, Math.max(0, v)), top, middle, width, each });
    ground += heights[i];
  });
}
const bar = (p, kind, value, top, height) => p.svg.append(put("rect", { class: kind, x: p.x(0), y: top, width: Math.max(p.x(value) - p.x(0), value > 0 ? 2 : 0), height, rx: Math.min(3, height / 2) }));

function pictures(state) {
  const s = state.series, some = s.requests.some((v) => v > 0);
  lines("requests", s.step, some ? [{ values: s.requests, line: "l1", area: "a1" }, { values: s.refused, line: "l2" }] : [{ values: [] }], short);
  lines("latency", s.step, [{ values: s.p95, line: "l2" }, { values: s.p50, line: "l1" }], (v) => (v ? time(v) : "0"));
  const a = state.tiles.alarms;
  lines("alarms", s.step, [{ values: s.alarms, line: "l2" }], percent, (a && a.chance) || 0);
  const most = Math.max(1, ...state.refusals.map((r) => r.n));
  bars("refusals", state.refusals, 21, (row, p) => {
    bar(p, "b0", 1, p.top + 6, 8);
    bar(p, "b2", row.n / most, p.top + 6, 8);
    p.svg.append(put("text", { class: row.n ? "name" : "", x: p.width - 2, y: p.middle + 4, "text-anchor": "end" }, whole(row.n)));
  }, 64);
  bars("drift", state.drift, 24, (row, p) => {
    bar(p, "b0", 1, p.middle - 5, 10);
    bar(p, row.drifted ? "b2" : "b1", row.value, p.middle - 5, 10);
    p.svg.append(put("line", { class: "range", x1: p.x(row.low), x2: p.x(row.high), y1: p.middle, y2: p.middle }));
    p.svg.append(put("line", { class: "mark", x1: p.x(row.chance), x2: p.x(row.chance), y1: p.middle - 8, y2: p.middle + 8 }));
    p.svg.append(put("text", { class: row.drifted ? "hot" : "name", x: p.width - 2, y: p.middle + 4, "text-anchor": "end" }, short(row.value, 2)));
  });
  const top = Math.max(1e-9, ...state.answers.flatMap((r) => [r.live ?? 0, r.reference ?? 0]));
  bars("answers", state.answers, 30, (row, p) => {
    bar(p, "b1", (row.live ?? 0) / top, p.top + 4, 10);
    bar(p, "b4", (row.reference ?? 0) / top, p.top + 16, 8);
    p.svg.append(put("text", { class: "name", x: p.width - 2, y: p.middle + 4, "text-anchor": "end" }, percent(row.live)));
  }, 60);
}

// Tables behind the pictures
function table(id, heads, rows) {
  const place = find("#" + id + " details");
  if (!place.open) return; // made when somebody looks
  const head = put("thead", {}, put("tr", {}, ...heads.map((h) => put("th", { scope: "col" }, h))));
  const body = put("tbody", {}, ...rows.map((r) => put("tr", {}, put("th", { scope: "row" }, r[0]), ...r.slice(1).map((c) => put("td", {}, c)))));
  place.querySelector("table").replaceChildren(head, body);
}

function tables(state) {
  const s = state.series, n = s.requests.length, ago = (i) => (i ? word("{n} s ago", { n: Math.round(i * s.step) }) : word("now"));
  const past = (...columns) => [...Array(n).keys()].reverse().map((i) => [ago(n - 1 - i), ...columns.map(([values, show]) => show(values[i]))]);
  table("requests", ["", word("requests per second"), word("refused per second")], past([s.requests, short], [s.refused, short]));
  table("latency", ["", word("median"), word("95 of 100 are faster")], past([s.p50, time], [s.p95, time]));
  table("alarms", ["", word("share of alarms")], past([s.alarms, percent]));
  table("refusals", ["", word("requests"), word("share of requests")], state.refusals.map((r) => [r.name, whole(r.n), percent(r.share)]));
  table("drift", ["", word("distance"), "95 %", word("what sampling alone gives"), "n", ""], state.drift.map((r) => [r.name, short(r.value), `[${short(r.low)}, ${short(r.high)}]`, short(r.chance), whole(r.n), word(r.drifted ? "drifted" : "no drift shown")]));
  table("answers", ["", word("now"), word("reference")], state.answers.map((r) => [r.name, percent(r.live), percent(r.reference)]));
}

const cell = (label, facts, ...inside) => put("td", { role: "cell", "data-label": label, ...facts }, ...inside);

function evidence(state) {
  const rows = state.findings.map((f) => {
    const name = put("th", { scope: "row", role: "rowheader" }, put("small", {}, f.axis), f.name, ...(f.setting ? [" ", put("i", {}, f.setting)] : []));
    const note = cell(word("Note"), { class: "note" }, f.note);
    if (f.value === null) return put("tr", { class: "gap", role: "row" }, name, cell(word("Value"), {}, "–"), cell("", {}), cell("", {}), cell("", {}), note);
    return put("tr", { role: "row", ...(f.drifted ? { class: "drifted" } : {}) }, name, cell(word("Value"), {}, short(f.value, 4), " ", put("small", {}, f.unit)),
      cell(word("95 % interval"), { title: f.interval }, `[${short(f.low)}, ${short(f.high)}]`), cell(word("Chance"), {}, ...(f.floor === null ? [] : [short(f.floor)])), cell("n", {}, whole(f.n)), note);
  });
  find("#evidence tbody").replaceChildren(...rows);
}

function legends() {
  const of = { requests: [["t1", "", "requests per second"], ["t2", "", "refused per second"]], latency: [["t1", "", "median"], ["t2", "", "95 of 100 are faster"]],
    alarms: [["t2", "", "share of alarms"], ["t4", "dash", "expected share"]], drift: [["t2", "box", "drifted"], ["t1", "box", "no drift shown"], ["", "mark", "what sampling alone gives"]],
    answers: [["t1", "box", "now"], ["t5", "box", "reference"]] };
  for (const id in of) find(`#${id} .legend`).replaceChildren(...of[id].map(([tone, kind, key]) => put("span", { class: tone }, put("i", { class: kind }), word(key))));
}

// What is new
let state = told.state, measured = "";
function show() {
  for (const place of document.querySelectorAll("[data-told]")) {
    const value = state[place.dataset.told];
    place.textContent = typeof value === "number" ? whole(value) : value;
  }
  find("#lost").hidden = !state.lost;
  tiles(state);
  pictures(state);
  tables(state);
  if (measured !== state.measured) evidence(state);
  measured = state.measured;
}

// The stream: opened again whenever it breaks, a little later each time
let wait = 1000, heard = 0, source = null;
function status(at) {
  const place = find("#status");
  if (place.dataset.at === at) return;
  place.dataset.at = at;
  place.querySelector("b").textContent = word(at === "live" ? "live" : "waiting for the stream …");
}
function listen() {
  source = new EventSource("live/stream?lang=" + told.language);
  source.onmessage = (event) => {
    state = JSON.parse(event.data);
    heard = Date.now();
    wait = 1000;
    status("live");
    if (!document.hidden) show();
  };
  source.onerror = () => {
    status("wait");
    source.close();
    setTimeout(listen, wait);
    wait = Math.min(wait * 2, 15000);
  };
}
setInterval(() => heard && Date.now() - heard > 12000 && source.readyState === 1 && source.onerror(), 4000);
document.addEventListener("visibilitychange", () => document.hidden || show());
document.querySelectorAll("details").forEach((d) => d.addEventListener("toggle", () => tables(state)));
let later = 0;
addEventListener("resize", () => { clearTimeout(later); later = setTimeout(() => pictures(state), 120); });
legends();
show();
listen();
