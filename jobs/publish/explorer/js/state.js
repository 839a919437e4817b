// What is shown: kept in the address behind the hash, so that a view can be sent on and found again.

const state = {
  lang: "en", product: 0, period: 0, layer: "", combo: "", level: "", zone: null, pair: null, side: "both", most: 20, table: "",
};
const MOST = [10, 20, 50, 100];
const SIDES = ["both", "out", "in"];

const product = () => DATA.products[state.product];
const period = () => product().periods[state.period];
const layer = () => layersOf(product()).find((one) => one.id === state.layer) || null;
const cell = () => (layer() && layer().cells[state.combo] ? layer().cells[state.combo][state.level] : null);

const tablesOf = (one) => [...(one.flows ? ["flows"] : []), ...(one.bins ? ["bins"] : ["zones"]), ...(one.form === "event" ? ["origins"] : []), ...(one.bins ? [] : ["series"])];

// Bring the state into what the data hold: a layer, a breakdown and a level that there are.
function settle() {
  const one = product();
  const layers = layersOf(one);
  state.period = Math.min(Math.max(0, state.period), one.periods.length - 1);
  if (!layers.some((found) => found.id === state.layer)) state.layer = layers.length ? layers[0].id : "";
  const chosen = layer();
  if (chosen && !chosen.combos.some((combo) => combo.id === state.combo)) state.combo = chosen.combos[0].id;
  const levels = chosen ? mapLevels() : [];
  if (!levels.includes(state.level)) state.level = levels.length ? finestKnown(chosen, levels) : "";
  if (!one.flows) state.pair = null;
  if (!tablesOf(one).includes(state.table)) state.table = tablesOf(one)[0];
}

// The finest level of which half of the whole is in zones that can be told from noise; else the coarsest.
function finestKnown(chosen, levels) {
  const isKnown = (level) => {
    const found = (chosen.cells[state.combo] || {})[level];
    const all = found ? found.z.map((zone) => numberAt(found, state.period, zone)).filter(Boolean) : [];
    const sum = (list) => list.reduce((whole, n) => whole + n.v, 0);
    return sum(all.filter((n) => trustOf(n, chosen.sort) !== "not")) >= 0.5 * sum(all);
  };
  return [...levels].reverse().find(isKnown) || levels[0];
}

// The levels at which the layer can be drawn; the network's is that of its report.
function mapLevels() {
  const chosen = layer();
  if (chosen.sort !== "network") return levelsOf(chosen, state.combo);
  const report = reportOf(period()) || Object.values(DATA.network.days).find((found) => found.z.length);
  return report && report.z.length ? [levelOf(report.z[0])] : [];
}

function hashOf() {
  const told = new URLSearchParams();
  told.set("lang", state.lang);
  told.set("product", product().key);
  told.set("period", period().id);
  if (state.layer) told.set("layer", state.layer);
  if (state.combo) told.set("breakdown", state.combo);
  if (state.level) told.set("level", state.level);
  if (state.zone !== null) told.set("zone", MAP.codes[state.zone]);
  if (state.pair) told.set("pair", state.pair.map((zone) => MAP.codes[zone]).join("~"));
  if (state.side !== "both") told.set("side", state.side);
  if (state.most !== 20) told.set("most", state.most);
  told.set("table", state.table);
  return `#${told}`;
}

function readHash(text) {
  const told = new URLSearchParams(text.replace(/^#/, ""));
  const language = told.get("lang") || (navigator.language || "en").slice(0, 2);
  state.lang = LANGUAGES.includes(language) ? language : "en";
  const found = DATA.products.findIndex((one) => one.key === told.get("product"));
  state.product = Math.max(0, found);
  const at = product().periods.findIndex((one) => one.id === told.get("period"));
  state.period = at >= 0 ? at : product().periods.length - 1;
  state.layer = told.get("layer") || "";
  state.combo = told.get("breakdown") || "";
  state.level = told.get("level") || "";
  state.zone = zoneNumber.get(told.get("zone")) ?? null;
  const ends = (told.get("pair") || "").split("~").map((code) => zoneNumber.get(code));
  state.pair = ends.length === 2 && ends.every((end) => end !== undefined) ? ends : null;
  state.side = SIDES.includes(told.get("side")) ? told.get("side") : "both";
  state.most = MOST.includes(Number(told.get("most"))) ? Number(told.get("most")) : 20;
  state.table = told.get("table") || "";
  settle();
}
