// What was chosen, over all periods: lines with a 95 % band, one picture a kind of number.

const WIDE = 560, HIGH = 190, LEFT = 62, RIGHT = 32, TOP = 12, BOTTOM = 30;
const INK = { stock: "#0b4f8a", flow: "#00735c", share: "#c4510a", network: "#6a5d7b" };

const chart = (title, sort, points, unit, usual) => ({ title, sort, points, unit: unit ?? product().unit, usual: usual || null });
const over = (told_) => product().periods.map((_, k) => estimateAt(told_, k));

// The charts of the selection: a pair, a zone, or the country.
function charts() {
  const one = product();
  if (state.pair && one.flows) {
    return [chart(say(one.form === "event" ? "chartPlace" : "chartPair"), one.form === "event" ? "stock" : "flow", one.periods.map((_, k) => pairAt(one, k, state.pair)))];
  }
  if (one.form === "event") return eventCharts(state.zone === null ? one.area : originOf(one, state.zone));
  if (state.zone !== null) return zoneCharts();
  if (one.form === "pairs") return [chart(say("chartTotal"), "flow", over(one.total))];
  const chosen = one.layers[0];
  return chosen && chosen.country && chosen.country[state.combo] ? [chart(layerText(chosen), chosen.sort, over(chosen.country[state.combo]))] : [];
}

function eventCharts(course) {
  const here = state.zone === null ? null : seriesAt(product().layers[0], "", state.zone);
  const placed = here ? [chart(layerText(product().layers[0]), "stock", product().periods.map((_, k) => numberAt(here, k, state.zone)))] : [];
  if (!course) return placed;
  return [
    chart(say("chartAway"), "stock", over(course.people || course.away), undefined, estimateOf(course.usual)),
    chart(say("chartNewly"), "flow", over(course.newly)), chart(say("chartReturned"), "flow", over(course.returned)), ...placed,
  ];
}

function zoneCharts() {
  return product().layers.map((one) => [one, seriesAt(one, combosOf(one), state.zone)]).filter(([, found]) => found)
    .map(([one, found]) => chart(layerText(one), one.sort, product().periods.map((_, k) => numberAt(found, k, state.zone))));
}
const combosOf = (one) => (one.cells[state.combo] ? state.combo : one.combos[0].id);

function scaleOf(points, usual) {
  const highs = [...points.filter(Boolean).map(high), ...(usual ? [usual.v] : [])];
  const top = Math.max(...highs, 1e-9);
  const step = [1, 2, 2.5, 5, 10].map((m) => m * powerOfTen(top / 3)).find((s) => top / s <= 4) || powerOfTen(top);
  return { top: Math.ceil(top / step) * step, step };
}

// Time runs with the reading direction of the axis' labels: from left to right in every language, as charts here do.
function chartElement(one) {
  const n = one.points.length;
  const { top, step } = scaleOf(one.points, one.usual);
  const x = (k) => LEFT + (n === 1 ? (WIDE - LEFT - RIGHT) / 2 : (k * (WIDE - LEFT - RIGHT)) / (n - 1));
  const y = (v) => HIGH - BOTTOM - (Math.max(0, v) / top) * (HIGH - TOP - BOTTOM);
  const axis = (v) => (one.sort === "share" ? fill(words.percent, { value: plainNumber(100 * v) }) : plainNumber(v, decimalsOf(step)));
  const ticks = Array.from({ length: Math.round(top / step) + 1 }, (_, k) => k * step);
  const every = Math.ceil(n / 7);
  const known = one.points.map((p, k) => [p, k]).filter(([p]) => p);
  const ink = INK[one.sort];
  return el("figure.chart", {}, el("figcaption", {}, one.title, " ", el("span.unit", {}, one.sort === "share" ? "" : unitText(one.unit))),
    el("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": chartLabel(one, known) },
      ticks.flatMap((v) => [el("line", { x1: LEFT, x2: WIDE - RIGHT, y1: y(v), y2: y(v), stroke: v ? "#e1e5ea" : "#8a939c" }),
        el("text", { x: LEFT - 7, y: y(v) + 4, "text-anchor": "end", direction: "ltr" }, axis(v))]),
      product().periods.map((p, k) => (k % every === 0 ? el("text", { x: x(k), y: HIGH - 10, "text-anchor": "middle", direction: "ltr" }, shortLabel(p)) : null)),
      one.usual ? [el("line", { x1: LEFT, x2: WIDE - RIGHT, y1: y(one.usual.v), y2: y(one.usual.v), stroke: "#6a7076", "stroke-dasharray": "5 4" }),
        el("text", { x: WIDE - RIGHT, y: y(one.usual.v) - 4, "text-anchor": "end", direction: "ltr" }, say("chartUsual"))] : null,
      runsOf(one.points).flatMap((run) => [band(run, x, y, ink), el("polyline", { points: run.map(([p, k]) => `${x(k)},${y(p.v)}`).join(" "), fill: "none", stroke: ink, "stroke-width": 2 })]),
      known.flatMap(([p, k]) => [el("line", { x1: x(k), x2: x(k), y1: y(low(p)), y2: y(high(p)), stroke: ink, "stroke-width": n > 20 ? 0 : 1.2 }),
        el("circle", { cx: x(k), cy: y(p.v), r: k === state.period ? 5 : 3, fill: k === state.period ? "#ffffff" : ink, stroke: ink, "stroke-width": 2 })])));
}

const shortLabel = (p) => (p.kind === "day" ? shortDay(p.id) : p.id.replace(/^\d{4}-W/, "W"));

// Stretches of periods without a gap.
function runsOf(points) {
  const runs = [];
  points.forEach((p, k) => {
    if (!p) return;
    const last = runs[runs.length - 1];
    if (last && last[last.length - 1][1] === k - 1) last.push([p, k]); else runs.push([[p, k]]);
  });
  return runs;
}
function band(run, x, y, ink) {
  const corners = [...run.map(([p, k]) => `${x(k)},${y(high(p))}`), ...[...run].reverse().map(([p, k]) => `${x(k)},${y(low(p))}`)];
  return el("path", { d: `M${corners.join("L")}z`, fill: ink, "fill-opacity": 0.18 });
}

function chartLabel(one, known) {
  if (!known.length) return say("chartEmpty", { title: one.title });
  const [first, last] = [known[0], known[known.length - 1]];
  const at = ([p, k]) => say("chartPoint", { period: periodCode(product().periods[k]), value: withRange(p, one.sort, one.unit) });
  return say("chartLabel", { title: one.title, first: at(first), last: at(last) });
}

function paintSeries() {
  const found = charts().filter((one) => one.points.some(Boolean));
  show("series", found.length ? found.map(chartElement) : el("p", {}, say("seriesNone")));
}
