// Tables: flows, zones, places of origin or a series, one kind of number each; and the same rows as CSV.

const MOST_ROWS = 25;
let allRows = false;

const head = (text, isNumber) => el("th", { scope: "col", class: isNumber ? "number" : null }, text);
const numberCells = (n, sort, unit) => (n
  ? [el("td.number", {}, el("bdi", {}, textOf(n, sort, unit, true))), el("td.number", {}, el("bdi", {}, rangeOf(n, sort, unit, true))), el("td", {}, words.trust[trustOf(n, sort)])]
  : [el("td.number", {}, "\u2013"), el("td.number", {}, ""), el("td", {}, say("belowCut"))]);
const numberHeads = (unit) => [head(unit, true), head(say("interval"), true), head(say("howSure"))];

const zoneButton = (zone) => el("button.link", { type: "button", onclick: () => choose(zone), "aria-pressed": String(state.zone === zone) }, zoneCell(zone));

// Each table: a caption, its heads, its rows, and the rows of its CSV.
const TABLES = { flows: flowTable, zones: zoneTable, origins: originTable, series: seriesTable, bins: binTable };

const flowSort = () => (product().form === "event" ? "stock" : "flow");

const captionKeys = () => (product().form === "event" ? ["placesAwayCaption", "placesAwayOfZone"] : ["flowsCaption", "flowsOfZone"]);

function flowTable() {
  const listed = lowestFirst(published(flowsOf(product(), state.period, state.zone, state.side)));
  const rows = listed.slice(0, state.most);
  return {
    caption: say(captionKeys()[state.zone === null ? 0 : 1], { count: number(rows.length), all: number(listed.length), zone: state.zone === null ? "" : zoneText(state.zone) }),
    note: flowNote(),
    heads: [head(say(product().form === "event" ? "home" : "origin")), head(say(product().form === "event" ? "location" : "destination")), ...numberHeads(unitText(product().unit)), head("")],
    rows: rows.map((row) => [el("th", { scope: "row" }, zoneButton(row.o)), el("td", {}, zoneButton(row.d)), ...numberCells(row, flowSort(), product().unit), el("td", {}, pairButton(row))]),
    columns: ["origin", "origin_name", "destination", "destination_name"],
    records: rows.map((row) => [[MAP.codes[row.o], nameOf(row.o), MAP.codes[row.d], nameOf(row.d)], row, "published"]),
  };
}

const pairButton = (row) => el("button.small", { type: "button", "aria-pressed": String(Boolean(state.pair && state.pair[0] === row.o && state.pair[1] === row.d)),
  "aria-label": say("pairOverTime", { pair: pairText(row.o, row.d) }), onclick: () => choosePair([row.o, row.d]) }, say("overTime"));

function flowNote() {
  const flows = product().flows[state.period];
  if (product().form === "event") return say("flowsEventNote");
  const held = flows.o.length < flows.all ? ` ${say("flowsHeld", { held: number(flows.o.length), all: number(flows.all) })}` : "";
  const residual = flowRows(flows).filter((row) => row.t === "r").length;
  const rest = flows.rest ? ` ${say("remainder", { value: withRange(estimateOf(flows.rest), "flow", product().unit) })}` : "";
  const finer = hasFinerFlows(state.zone) ? ` ${say("flowsFiner")}` : "";
  return `${say("flowsNote", { cut: number(product().cut), residual: number(residual) })}${finer}${rest}${held}`;
}

// Whether flows are told of zones of a finer level than that of the chosen one.
const hasFinerFlows = (zone) => zone !== null && levelsOf(product().layers[0], "").some((level) => MAP.levels.indexOf(level) > MAP.level[zone]);

function zoneTable() {
  const chosen = layer();
  const found = chosen ? shownZones().map((zone) => ({ zone, n: numberOf(zone) })) : [];
  const known = found.filter((row) => row.n).sort((a, b) => low(b.n) - low(a.n));
  const unit = !chosen ? "" : chosen.sort === "network" ? say("unitDown") : chosen.sort === "share" ? say("unitShare") : unitText(product().unit);
  const rows = known.length ? known : [];
  return {
    caption: chosen ? say("zonesCaption", { layer: layerText(chosen), level: levelText(state.level) }) : "",
    note: say(chosen && chosen.cut ? "zonesCutNote" : "zonesNote", { hidden: number(found.length - known.length) }),
    heads: [head(say("zone")), ...(chosen && chosen.sort === "network" ? [head(unit, true)] : numberHeads(unit))],
    rows: rows.map(({ zone, n }) => [el("th", { scope: "row" }, zoneButton(zone)),
      ...(chosen.sort === "network" ? [el("td.number", {}, el("bdi", {}, percent(plainNumber(100 * n.v))))] : numberCells(n, chosen.sort, product().unit))]),
    columns: ["zone", "name"],
    records: rows.map(({ zone, n }) => [[MAP.codes[zone], nameOf(zone)], n, ""]),
  };
}

function originTable() {
  const found = product().origins.map((one) => ({ one, n: estimateAt(one.away, state.period) })).filter((row) => row.n && row.one.listed[state.period]);
  const rows = found.sort((a, b) => low(b.n) - low(a.n));
  const left = (zone) => { const cell_ = product().layers[1].cells[""].event; return numberAt(cell_, state.period, zone); };
  const pairOf = (n, sort) => [el("td.number", {}, !n ? "\u2013" : trustOf(n, sort) === "not" ? say("notKnown") : el("bdi", {}, textOf(n, sort, product().unit, true))), el("td.number", {}, n ? el("bdi", {}, rangeOf(n, sort, product().unit, true)) : "")];
  return {
    caption: say("originsCaption"), note: say("originsNote"),
    heads: [head(say("home")), head(say("chartAway"), true), head(say("interval"), true), head(say("residentsBefore"), true), head(say("interval"), true), head(say("noLonger"), true), head(say("interval"), true)],
    rows: rows.map(({ one, n }) => [el("th", { scope: "row" }, zoneButton(one.z)), ...pairOf(n, "stock"), ...pairOf(estimateAt(one.residents, state.period), "stock"), ...pairOf(estimateAt(one.gone, state.period), "share")]),
    columns: ["home", "name"],
    records: rows.map(({ one, n }) => [[MAP.codes[one.z], nameOf(one.z)], n, left(one.z) ? "published" : ""]),
  };
}

function seriesTable() {
  const one = charts()[0];
  const rows = one ? product().periods.map((p, k) => [p, one.points[k]]) : [];
  return {
    caption: one ? `${one.title} \u2013 ${selectionText()}` : say("seriesNone"), note: say("seriesNote"),
    heads: [head(say("period")), ...numberHeads(one && one.sort !== "share" ? unitText(one.unit) : say("value"))],
    rows: rows.map(([p, n]) => [el("th", { scope: "row" }, periodText(p)), ...numberCells(n, one.sort, one.unit)]),
    columns: ["selection"],
    records: rows.map(([p, n]) => [[selectionCode()], n, "", p]),
  };
}

function binTable() {
  const bins = product().bins[state.period];
  const rows = bins.value.map((v, k) => ({ at: bins.trips_a_day[k], part: bins.part[k], n: { v, s: bins.noise_sd[k] } }));
  return {
    caption: say("binsCaption"), note: say("binsNote"),
    heads: [head(sayOf("units", "trips a day"), true), head(say("part")), ...numberHeads(unitText("subscribers"))],
    rows: rows.map((row) => [el("th.number", { scope: "row" }, number(row.at, 2)), el("td", {}, sayOf("values", row.part)), ...numberCells(row.n, "stock", "subscribers")]),
    columns: ["trips_a_day", "part"],
    records: rows.map((row) => [[String(row.at), row.part], row.n, ""]),
  };
}

const selectionCode = () => (state.pair ? state.pair.map((zone) => MAP.codes[zone]).join(" > ") : state.zone === null ? "" : MAP.codes[state.zone]);

function paintTable() {
  const made = TABLES[state.table]();
  const most = allRows ? made.rows.length : MOST_ROWS;
  const more = made.rows.length > most ? el("button", { type: "button", onclick: () => { allRows = true; paintTable(); } }, say("showAll", { all: number(made.rows.length) })) : null;
  const body = made.rows.slice(0, most).map((cells) => el("tr", {}, cells));
  show("table", el("p.note", { id: "table-note" }, made.note),
    made.rows.length
      ? el("div.scroll", { role: "region", tabindex: 0, "aria-labelledby": "table-caption" },
        el("table", {}, el("caption", { id: "table-caption" }, made.caption), el("thead", {}, el("tr", {}, made.heads)), el("tbody", {}, body)))
      : el("p", { id: "table-caption" }, say("tableNone")), more);
}

// A spreadsheet runs a cell that begins so; a quote before it makes it text again (OWASP, CSV injection).
const FORMULA = /^[=+\-@\t\r]/;
function csvText(value) {
  const safe = typeof value === "string" && FORMULA.test(value) ? `'${value}` : String(value ?? "");
  return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}

function csvOf(made) {
  const heads = ["product", "definition_id", "period", "measure", ...made.columns, "value", "noise_sd", "ci_low", "ci_high", "status", "release", "sha256", "synthetic", "sensitivity"];
  const short = (x) => Number(x.toPrecision(7));
  const numbers = (n) => (n ? [n.v, n.s, short(low(n)), short(high(n))] : ["", "", "", ""]);
  const lines = made.records.map(([keys, n, status, p]) => {
    const at = p || period();
    return [product().product, product().definition, at.id, measureCode(), ...keys, ...numbers(n), status, at.release.slug, at.release.sha256, String(DATA.synthetic), at.release.class];
  });
  return [heads, ...lines].map((line) => line.map(csvText).join(",")).join("\r\n") + "\r\n";
}
// Who is away where is a stock; all other pairs are flows.
const pairCode = () => (product().form === "event" ? "away_by_place" : "flow");
const layerCode = (id) => `${id}${state.combo ? ` ${state.combo}` : ""}`;
function seriesCode() {
  const one = product();
  if (state.pair && one.flows) return pairCode();
  if (one.form === "event") return state.zone === null || originOf(one, state.zone) ? "away" : "here";
  return state.zone === null && one.form === "pairs" ? "total" : layerCode(one.layers[0].id);
}
function measureCode() {
  if (state.table === "flows") return pairCode();
  if (state.table === "origins") return "away";
  if (state.table === "series") return seriesCode();
  return state.table === "bins" ? "histogram" : layerCode(state.layer);
}

function download() {
  const content = new Blob(["\ufeff", csvOf(TABLES[state.table]())], { type: "text/csv;charset=utf-8" });
  const link = el("a", { href: URL.createObjectURL(content), download: `${product().key.replace(/[^\w-]+/g, "_")}_${period().id}_${state.table}.csv` });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  tell(say("downloaded"));
}
