// The page: built in the chosen language, painted after every choice.

const LEVEL_KEYS = { h: "levelH3", a: "levelAdmin" };
const levelText = (level) => (LEVEL_KEYS[level[0]] && /^\w\d+$/.test(level) ? say(LEVEL_KEYS[level[0]], { n: number(level.slice(1)) }) : say("levelAuto"));
const productText = (one) => sayOf("products", one.product);
const layerText = (one) => sayOf("layers", one.id, sayOf("products", one.id));
function productOption(one) {
  const kinds = new Set(one.periods.map((p) => p.kind));
  const by = [...kinds].map((kind) => words.kinds[kind]).join(" + ");
  return one.event ? `${productText(one)}: ${own(one.event.name)}` : `${productText(one)} (${by})`;
}

function partText([column, value]) {
  if (column === "bin_start_h") return say("hours", { hours: range(`${value.padStart(2, "0")}:00`, `${String((Number(value) + 4) % 24).padStart(2, "0")}:00`) });
  if (column === "sim_country" || column === "visited_country") return fill(words.breakdowns[column], { value: countryText(value) });
  return sayOf("values", value, own(value));
}
function countryText(code_) {
  if (words.values[code_]) return words.values[code_];
  return /^[A-Z]{2}$/.test(code_) ? ltr(code_) : own(code_);
}
const comboTextOf = (one, id) => { const found = one.combos.find((combo) => combo.id === id); return found ? found.parts.map(partText).join(words.comma) : ""; };
const comboText = () => (layer() && layer().combos.length > 1 ? comboTextOf(layer(), state.combo) : "");

const wholeText = () => say(product().form === "event" ? "wholeArea" : "country");

function selectionText() {
  if (state.pair) return pairText(...state.pair);
  return state.zone === null ? wholeText() : zoneText(state.zone);
}

let spoken = "";
function tell(text) {
  if (text === spoken) return;
  spoken = text;
  byId("live").textContent = text;
}

function choose(zone) {
  Object.assign(state, { zone, pair: null });
  if (zone !== null) view.cursor = zone;
  paint();
  tell(zone === null ? wholeText() : say("zoneShown", { zone: zoneText(zone), value: readOutText(zone) }));
}
function choosePair(pair) {
  state.pair = state.pair && state.pair[0] === pair[0] && state.pair[1] === pair[1] ? null : pair;
  paint();
  tell(state.pair ? say("pairShown", { pair: pairText(...state.pair) }) : wholeText());
}
function setPeriod(k) {
  state.period = Math.min(product().periods.length - 1, Math.max(0, k));
  paint();
  tell(headline());
}
function set(changed) {
  Object.assign(state, changed);
  allRows = false;
  settle();
  paint();
}

function languageButtons() {
  return el("div.languages", { role: "group", "aria-label": say("languageLabel") }, LANGUAGES.map((language) => el("button.small", {
    type: "button", lang: language, id: `lang-${language}`, "aria-pressed": String(state.lang === language), onclick: () => {
      state.lang = language;
      build();
      byId(`lang-${language}`).focus();
    } }, CATALOGUES[language].name)));
}

function header() {
  const marks = [DATA.synthetic ? el("p.synthetic", { role: "note" }, say("synthetic")) : null, DATA.restricted ? el("p.restricted", { role: "note" }, say("restricted")) : null];
  return el("header", {}, el("div.bar", {}, el("p.kicker", {}, say("kicker")), ...marks),
    el("div.titles", {}, el("h1", { id: "title" }), el("p", { id: "period-title" }), languageButtons()));
}

function lead() {
  return el("section.panel.lead", { "aria-labelledby": "headline" }, el("h2", { id: "headline" }), el("p", { id: "changes" }),
    el("p", { id: "age" }), el("p", { id: "kind" }), el("dl.figures", { id: "figures" }), el("p", { id: "network" }));
}

function periodField() {
  const slider = el("input", { id: "period", type: "range", min: 0, step: 1, dir: "ltr", oninput: (event) => setPeriod(Number(event.target.value)) });
  const step = (text, by, id) => el("button.small", { id, type: "button", "aria-label": say(text), onclick: () => setPeriod(state.period + by) }, by < 0 ? "\u2212" : "+");
  return el("div.field.period", {}, el("label", { for: "period" }, say("period")),
    el("div.slider", {}, step("earlier", -1, "earlier"), slider, step("later", 1, "later"), el("output", { id: "period-code", for: "period" })));
}

function controls() {
  const select = (id, change) => el("select", { id, onchange: (event) => change(event.target.value) });
  return el("section.panel.controls", { "aria-label": say("controls") },
    field("product", say("product"), select("product", (value) => changeProduct(Number(value)))), periodField(),
    field("layer", say("layer"), select("layer", (value) => set({ layer: value, level: "" }))),
    field("breakdown", say("breakdown"), select("breakdown", (value) => set({ combo: value }))),
    field("level", say("level"), select("level", (value) => set({ level: value }))));
}
function changeProduct(value) {
  const last = period().last;
  state.product = value;
  const at = product().periods.findIndex((p) => p.last >= last);
  set({ period: at < 0 ? product().periods.length - 1 : at, layer: "", combo: "", level: "", table: "", pair: null });
  tell(headline());
}

function searchField() {
  const box = el("input", { id: "search", type: "search", autocomplete: "off", spellcheck: "false", "aria-describedby": "found-count",
    oninput: findZones, onkeydown: (event) => { if (event.key === "Enter") { const first = byId("found").querySelector("button"); if (first) first.click(); } } });
  return el("div.field.search", {}, el("label", { for: "search" }, say("search")), box, el("p.quiet", { id: "found-count", role: "status" }), el("ul", { id: "found" }));
}

const MOST_FOUND = 8;
const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
function findZones() {
  const wanted = plain(byId("search").value.trim());
  const found = wanted ? MAP.codes.map((_, zone) => zone).filter((zone) => plain(`${nameOf(zone)} ${MAP.codes[zone]}`).includes(wanted)) : [];
  byId("found-count").textContent = wanted ? say("foundCount", { n: number(found.length) }) : "";
  show("found", found.slice(0, MOST_FOUND).map((zone) => el("li", {}, el("button.link", { type: "button", onclick: () => pickFound(zone) }, zoneCell(zone), " ", el("span.quiet", {}, levelText(levelOf(zone)))))));
}
function pickFound(zone) {
  byId("search").value = "";
  findZones();
  if (layer() && mapLevels().includes(levelOf(zone))) state.level = levelOf(zone);
  choose(zone);
  byId("search").focus();
}

function mapSection() {
  const button = (text, by, label) => el("button.small", { type: "button", "aria-label": say(label), onclick: () => zoom(by) }, text);
  return el("section.panel.place", { "aria-labelledby": "map-title" },
    el("div.map-bar", {}, el("h2", { id: "map-title" }, say("mapTitle")), searchField(),
      el("div.zoom", { role: "group", "aria-label": say("zoom") }, button("+", 1, "zoomIn"), button("\u2212", -1, "zoomOut"), button("\u2922", 0, "zoomAll"))),
    el("p.quiet", { id: "layer-note" }), mapElement(), el("p", { id: "readout" }), el("p.quiet", { id: "map-help" }, say("mapHelp")), el("ul", { id: "legend" }),
    el("div.arcs", { id: "arc-controls" }, el("label", {}, el("input", { id: "arcs-on", type: "checkbox", checked: true, onchange: paintArcs }), " ", say("arcs")),
      radios("side", say("flowSide"), SIDES.map((side) => [side, words.sides[side]]), state.side, (side) => set({ side })),
      field("most", say("most"), el("select", { id: "most", onchange: (event) => set({ most: Number(event.target.value) }) }))));
}

function seriesSection() {
  return el("section.panel", { "aria-labelledby": "series-title" }, el("h2", { id: "series-title" }, say("seriesTitle")),
    el("p.selection", {}, el("span", { id: "selection" }), " ", el("button.small", { id: "whole", type: "button", onclick: () => choose(null) })),
    el("p.quiet", {}, say("seriesMore")), el("div", { id: "series" }));
}

function tableSection() {
  return el("section.panel", { "aria-labelledby": "table-title" }, el("h2", { id: "table-title" }, say("tableTitle")), el("div", { id: "table-kinds" }),
    el("div", { id: "table" }), el("button", { id: "download", type: "button", onclick: download }, say("download")));
}

function build() {
  speak(state.lang);
  const blind = el("section.panel.blind", { "aria-labelledby": "blind-title" }, el("h2", { id: "blind-title" }, say("blindTitle")), el("ul", { id: "blind-list" }));
  const sources = el("footer", {}, el("h2", {}, say("sourcesTitle")), el("div", { id: "sources" }));
  document.body.replaceChildren(...document.body.querySelectorAll("script"), el("a.skip", { href: "#table-title", onclick: skip }, say("skip")), header(),
    el("main", { id: "main" }, ...(isEmpty() ? [el("p.panel.empty", {}, say("empty"))] : []), lead(), controls(),
      el("div.columns", {}, mapSection(), seriesSection()), tableSection(), blind), sources,
    el("p.hidden", { id: "live", role: "status", "aria-live": "polite" }));
  paint();
}
// The hash holds the view, so the link moves the focus itself.
function skip(event) {
  event.preventDefault();
  const title = byId("table-title");
  title.setAttribute("tabindex", "-1");
  title.focus();
  title.scrollIntoView();
}

function paintControls() {
  const one = product();
  options(byId("product"), DATA.products.map((found, k) => [String(k), productOption(found)]), String(state.product));
  options(byId("layer"), layersOf(one).map((found) => [found.id, layerText(found)]), state.layer);
  const chosen = layer();
  options(byId("breakdown"), chosen ? chosen.combos.map((combo) => [combo.id, combo.parts.map(partText).join(words.comma) || say("together")]) : [], state.combo);
  options(byId("level"), chosen ? mapLevels().map((level) => [level, levelText(level)]) : [], state.level);
  options(byId("most"), MOST.map((n) => [String(n), number(n)]), String(state.most));
  const slider = byId("period");
  slider.max = one.periods.length - 1;
  slider.value = state.period;
  slider.disabled = one.periods.length < 2;
  slider.setAttribute("aria-valuetext", periodText(period()));
  byId("earlier").disabled = state.period === 0;
  byId("later").disabled = state.period === one.periods.length - 1;
  byId("period-code").textContent = periodCode(period());
  byId("arc-controls").hidden = !one.flows;
  document.querySelector(".columns").hidden = Boolean(one.bins);
  byId("layer-note").textContent = chosen ? say("layerNote", { layer: layerText(chosen), note: words.layerNotes[chosen.id] || "" }) : "";
  byId("selection").textContent = selectionText();
  byId("whole").textContent = wholeText();
  byId("whole").hidden = state.zone === null && !state.pair;
}

// The choice of a table keeps its focus while it only changes what it stands over.
let kindsShown = "";
function paintKinds() {
  const key = `${state.lang} ${state.product}`;
  if (kindsShown !== key || !byId("table-kinds").firstChild) {
    kindsShown = key;
    show("table-kinds", radios("table", say("tableKind"), tablesOf(product()).map((kind) => [kind, words.tables[kind === "flows" && product().form === "event" ? "placesAway" : kind]]), state.table, (table) => set({ table })));
  }
  document.querySelectorAll("input[name=table]").forEach((box) => { box.checked = box.value === state.table; });
}

function paint() {
  paintControls();
  paintFigures();
  paintMap();
  paintArcs();
  paintSeries();
  paintKinds();
  paintTable();
  paintProvenance();
  keepView();
}

// Browsers refuse many changes of the address in short order, as a slider that is drawn along makes them.
const HASH_PAUSE_MS = 250;
let keptAt = -HASH_PAUSE_MS;
let toKeep = 0;
function keepView() {
  clearTimeout(toKeep);
  const wait = keptAt + HASH_PAUSE_MS - performance.now();
  if (wait > 0) {
    toKeep = setTimeout(keepView, wait);
    return;
  }
  keptAt = performance.now();
  history.replaceState(null, "", hashOf());
}

function start() {
  if (DATA.schema !== SCHEMA) {
    document.body.append(el("p", {}, "This page holds data of another version than its program reads."));
    return;
  }
  readHash(location.hash);
  build();
  window.addEventListener("hashchange", () => { clearTimeout(toKeep); readHash(location.hash); build(); });
}
start();
