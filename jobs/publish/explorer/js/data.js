// The data block, and how to find a number in it. Nothing here knows of words or of the screen.

const SCHEMA = 2;
const DATA = JSON.parse(document.getElementById("data").textContent);
const MAP = DATA.map;

const NETWORK = {
  id: "network", sort: "network", cut: false, combos: [{ id: "", parts: [] }], cells: {},
};

const zoneNumber = new Map(MAP.codes.map((code, k) => [code, k]));
const levelOf = (zone) => MAP.levels[MAP.level[zone]];
const nameOf = (zone) => MAP.names[zone] || "";

const zonesOfLevel = new Map(MAP.levels.map((level) => [level, []]));
MAP.codes.forEach((_, zone) => zonesOfLevel.get(levelOf(zone)).push(zone));

const layersOf = (product) => (DATA.network ? [...product.layers, NETWORK] : product.layers);
const levelsOf = (layer, combo) => Object.keys(layer.cells[combo] || {});

// Zones of a cell by number: their places in its columns.
const indexes = new WeakMap();
function indexOf(cell) {
  if (!indexes.has(cell)) indexes.set(cell, new Map(cell.z.map((zone, place) => [zone, place])));
  return indexes.get(cell);
}

function numberAt(cell, period, zone) {
  const place = indexOf(cell).get(zone);
  const value = place === undefined ? null : cell.v[period][place];
  if (value === null || value === undefined) return null;
  const sds = cell.s[period];
  return { v: value, s: Array.isArray(sds) ? sds[place] : sds };
}

// The layer's column that has a zone: that of the level shown, or of the zone's own.
function seriesAt(layer, combo, zone) {
  const cells = Object.values(layer.cells[combo] || {});
  return cells.find((cell) => indexOf(cell).has(zone)) || null;
}

function reportOf(period) {
  return DATA.network && period.network ? DATA.network.days[period.network] : null;
}
function networkAt(period, zone) {
  const report = reportOf(period);
  const place = report ? report.z.indexOf(zone) : -1;
  return place < 0 ? null : { v: report.v[place], s: 0 };
}

// Flows of a period as rows: all of them, or those that begin or end in a zone.
const rowsOf = new WeakMap();
function flowRows(flows) {
  if (!rowsOf.has(flows)) {
    rowsOf.set(flows, flows.o.map((o, k) => ({ o, d: flows.d[k], v: flows.v[k], s: flows.s[k], t: flows.t[k] })));
  }
  return rowsOf.get(flows);
}
function flowsOf(product, period, zone, side) {
  const rows = product.flows ? flowRows(product.flows[period]) : [];
  if (zone === null) return rows;
  return rows.filter((row) => (side !== "in" && row.o === zone) || (side !== "out" && row.d === zone));
}
const pairAt = (product, period, [o, d]) => flowRows(product.flows[period]).find((row) => row.o === o && row.d === d) || null;

const originOf = (product, zone) => (product.origins || []).find((origin) => origin.z === zone) || null;
const isEmpty = () => DATA.products.every((product) =>
  !(product.layers.some((layer) => Object.values(layer.cells).some((cells) => Object.keys(cells).length)) || product.bins));

// Classes of a layer's scale: the same in all periods, so that a colour means the same wherever the slider stands.
const SCALES = new Map();
const SHARES = [0, 0.05, 0.1, 0.2, 0.35, 0.5];
const DOWN = [0, 0.1, 0.25, 0.5, 0.75];
function breaksOf(key, layer, combo, level) {
  if (layer.sort === "share") return SHARES;
  if (layer.sort === "network") return DOWN;
  const name = `${key} ${layer.id} ${combo} ${level}`;
  if (!SCALES.has(name)) SCALES.set(name, quantiles((layer.cells[combo] || {})[level]));
  return SCALES.get(name);
}
function quantiles(cell) {
  const values = cell ? cell.v.flat().filter((v) => v > 0).sort((a, b) => a - b) : [];
  if (!values.length) return [0];
  const ends = [0.25, 0.5, 0.7, 0.85, 0.95].map((q) => rounded(values[Math.min(values.length - 1, Math.floor(q * values.length))]));
  return [0, ...ends.filter((end, k) => end > 0 && ends.indexOf(end) === k)];
}
function rounded(x) {
  const step = powerOfTen(x) / 2;
  return Number((Math.round(x / step) * step).toPrecision(3));
}
const classOf = (breaks, v) => { let k = 0; while (k + 1 < breaks.length && v >= breaks[k + 1]) k += 1; return k; };
