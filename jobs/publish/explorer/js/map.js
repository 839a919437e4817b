// The map: zones coloured by the chosen layer. Pale is uncertain, hatched is below the cut or not told from zero.

// Viridis for numbers, inferno for shares, purples for the network: each grows darker evenly, for every kind of sight.
const COLOURS = {
  stock: ["#f1e51d", "#90d743", "#35b779", "#21918c", "#31688e", "#440154"],
  flow: ["#f1e51d", "#90d743", "#35b779", "#21918c", "#31688e", "#440154"],
  share: ["#fcffa4", "#fac228", "#f57d15", "#d44842", "#9f2a63", "#4a0c6b"],
  network: ["#e8e6f2", "#bcbddc", "#9e9ac8", "#756bb1", "#4a1486"],
};
const OPACITY = { well: 1, roughly: 0.72, barely: 0.42 };
const HATCH = "url(#hatch)";
const ZOOMS = [1, 1.6, 2.5, 4, 6.5];

const view = { zoom: 0, x: 0, y: 0, cursor: null, drawn: "", shapes: new Map() };

function hatchPattern(id) {
  return el("pattern", { id, width: 44, height: 44, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    el("rect", { width: 44, height: 44, fill: "#eceae4" }), el("rect", { width: 12, height: 44, fill: "#b4bbc2" }));
}

function mapElement() {
  const land = MAP.land.flatMap((level) => zonesOfLevel.get(MAP.levels[level])).map((zone) => MAP.paths[zone]).join("");
  view.drawn = "";
  return el("svg", { id: "map", tabindex: 0, role: "application", "aria-roledescription": say("mapRole"), "aria-describedby": "map-help",
    onkeydown: mapKey, onpointermove: (event) => readOut(zoneUnder(event)), onpointerleave: () => readOut(state.zone),
    onclick: (event) => { const zone = zoneUnder(event); choose(zone === state.zone ? null : zone); } },
  el("defs", {}, hatchPattern("hatch")),
  el("g", { id: "base" }, MAP.base.map((d) => el("path", { d, fill: "#f4f2ec", stroke: "#b9b4a7", "stroke-width": 3 }))),
  el("path", { id: "land", d: land, fill: "#eceae4", stroke: "#ffffff", "stroke-width": 2 }),
  el("g", { id: "zones" }), el("g", { id: "arcs" }), el("g", { id: "marks" }));
}

const zoneUnder = (event) => { const zone = event.target.getAttribute && event.target.getAttribute("data-z"); return zone === null ? null : Number(zone); };

// Zones drawn for a layer: all of its level; of a layer that chooses its levels, all that it ever tells of.
function shownZones() {
  const chosen = layer();
  if (!chosen || !state.level) return [];
  if (state.level === "event") return cell() ? cell().z : [];
  return zonesOfLevel.get(state.level) || [];
}

function layZones() {
  const key = `${state.product} ${state.layer} ${state.combo} ${state.level}`;
  if (view.drawn === key) return;
  view.drawn = key;
  view.shapes = new Map(shownZones().map((zone) => [zone, el("path", { d: MAP.paths[zone], "data-z": zone, stroke: "#ffffff", "stroke-width": 3 })]));
  byId("zones").replaceChildren(...view.shapes.values());
}

const numberOf = (zone) => (layer().sort === "network" ? networkAt(period(), zone) : cell() && numberAt(cell(), state.period, zone));

function lookOf(n, chosen, breaks) {
  const colours = COLOURS[chosen.sort];
  if (!n) return state.level === "event" || chosen.sort === "network" ? ["none", 1] : [HATCH, 1];
  if (chosen.sort === "network") return [n.v > 0 ? colours[classOf(breaks, n.v)] : "#eceae4", 1];
  const trust = trustOf(n, chosen.sort);
  return trust === "not" ? [HATCH, 1] : [colours[classOf(breaks, n.v)], OPACITY[trust]];
}

function paintMap() {
  layZones();
  const chosen = layer();
  if (!chosen) return;
  const breaks = breaksOf(product().key, chosen, state.combo, state.level);
  for (const [zone, shape] of view.shapes) {
    const [fill, opacity] = lookOf(numberOf(zone), chosen, breaks);
    const look = `${fill} ${opacity}`;
    if (shape.look === look) continue;
    shape.look = look;
    shape.setAttribute("fill", fill);
    shape.setAttribute("fill-opacity", opacity);
    shape.setAttribute("pointer-events", fill === "none" ? "none" : "auto");
  }
  byId("map").setAttribute("aria-label", say("mapLabel", { layer: layerText(chosen), period: periodText(period()) }));
  byId("map").setAttribute("viewBox", viewBox());
  paintMarks();
  readOut(state.zone);
  paintLegend(chosen, breaks);
}

function paintMarks() {
  const ring = (zone, colour) => el("path", { d: MAP.paths[zone], fill: "none", stroke: colour, "stroke-width": 14, "stroke-linejoin": "round", "pointer-events": "none" });
  const cursor = view.cursor !== null && view.cursor !== state.zone ? [ring(view.cursor, "#1d2733")] : [];
  byId("marks").replaceChildren(...cursor, ...(state.zone === null ? [] : [ring(state.zone, "#c4510a")]));
}

// The box of the map, at least as high as half its width, so that a narrow country leaves room for its neighbours.
function viewBox() {
  const factor = ZOOMS[view.zoom];
  const [w, h] = [Math.max(MAP.width, MAP.height * 0.9), Math.max(MAP.height, MAP.width * 0.55)];
  const middle = view.zoom ? [view.x, view.y] : [MAP.width / 2, MAP.height / 2];
  return [middle[0] - w / factor / 2, middle[1] - h / factor / 2, w / factor, h / factor].map((x) => Math.round(x)).join(" ");
}

function zoom(step) {
  const before = view.zoom;
  view.zoom = step === 0 ? 0 : Math.min(ZOOMS.length - 1, Math.max(0, view.zoom + step));
  const centre = state.zone ?? view.cursor;
  if (before === 0 || centre !== null) [view.x, view.y] = centre === null ? busiest() : [MAP.x[centre], MAP.y[centre]];
  byId("map").setAttribute("viewBox", viewBox());
}

// Where to look first: the middle of the zones that have a number.
function busiest() {
  const told = shownZones().filter((zone) => numberOf(zone));
  const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;
  return told.length ? [mean(told.map((z) => MAP.x[z])), mean(told.map((z) => MAP.y[z]))] : [MAP.width / 2, MAP.height / 2];
}

const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function mapKey(event) {
  if (WAYS[event.key]) moveCursor(WAYS[event.key]);
  else if (event.key === "Enter" || event.key === " ") choose(view.cursor === state.zone ? null : view.cursor);
  else if (event.key === "Escape") choose(null);
  else if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? 1 : -1);
  else return;
  event.preventDefault();
}

// The next zone in a direction: near, and not too far aside.
function moveCursor([dx, dy]) {
  const zones = shownZones();
  const from = view.cursor ?? state.zone;
  const nearest = (cost) => zones.reduce((best, zone) => (cost(zone) < cost(best) ? zone : best), zones[0]);
  const middle = (zone) => Math.hypot(MAP.x[zone] - MAP.width / 2, MAP.y[zone] - MAP.height / 2);
  const away = (zone) => {
    const ahead = (MAP.x[zone] - MAP.x[from]) * dx + (MAP.y[zone] - MAP.y[from]) * dy;
    const aside = Math.abs((MAP.x[zone] - MAP.x[from]) * dy + (MAP.y[zone] - MAP.y[from]) * dx);
    return zone === from || ahead <= 0.5 * aside ? Infinity : ahead + 2 * aside;
  };
  if (!zones.length) return;
  const next = from === null ? nearest(middle) : nearest(away);
  view.cursor = from !== null && away(next) === Infinity ? from : next;
  paintMarks();
  readOut(view.cursor);
  tell(readOutText(view.cursor));
}

function readOutText(zone) {
  const chosen = layer();
  if (zone === null || !chosen) return say("noZone");
  const n = numberOf(zone);
  const what = n ? told(n, chosen) : say(chosen.sort === "network" ? "noReport" : "belowCut");
  return say("zoneReads", { zone: zoneText(zone), layer: layerText(chosen), value: what });
}
function told(n, chosen) {
  if (chosen.sort === "network") return percent(plainNumber(100 * n.v));
  return `${withRange(n, chosen.sort, product().unit)}${words.comma}${words.trust[trustOf(n, chosen.sort)]}`;
}
const readOut = (zone) => { byId("readout").textContent = readOutText(zone); };

function paintLegend(chosen, breaks) {
  const colours = COLOURS[chosen.sort];
  const isShare = chosen.sort === "share" || chosen.sort === "network";
  const text = (v) => (isShare ? plainNumber(100 * v) : plainNumber(v, v > 0 && v < 10 ? 1 : 0));
  const label = (k) => {
    const span = k + 1 < breaks.length ? range(text(breaks[k]), text(breaks[k + 1])) : ltr(`\u2265 ${text(breaks[k])}`);
    return isShare ? fill(words.percent, { value: span }) : span;
  };
  const swatch = (fill, opacity) => el("svg.swatch", { viewBox: "0 0 44 30", "aria-hidden": "true" },
    el("rect", { width: 44, height: 30, fill, "fill-opacity": opacity, stroke: "#8a939c", "stroke-width": 1 }));
  const item = (fill, opacity, words_) => el("li", {}, swatch(fill, opacity), words_);
  const trusts = chosen.sort === "network" ? [] : [
    ...["well", "roughly", "barely"].map((trust) => item(colours[colours.length - 2], OPACITY[trust], words.trust[trust])),
    item(HATCH, 1, say(chosen.cut && state.level !== "event" ? "legendCut" : "legendUnclear")),
  ];
  show("legend", el("li.unit", {}, chosen.sort === "network" ? say("unitDown") : chosen.sort === "share" ? say("unitShare") : unitText(product().unit)),
    breaks.length < 2 ? null : breaks.map((_, k) => item(colours[Math.min(k, colours.length - 1)], 1, label(k))),
    trusts.length ? el("li.unit", {}, say("howSure")) : null, trusts);
}
