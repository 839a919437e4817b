// Flows as arcs. An arc bends to the right of its direction, as on the map of a bundle; few are drawn, the surest first.

const BEND = 0.18;
const ARC = "#9b2226";

const published = (rows) => rows.filter((row) => row.t === "p" && row.v > 0);
const lowestFirst = (rows) => [...rows].sort((a, b) => low(b) - low(a));

// What is drawn and listed: the flows of the chosen zone, or of the whole country; without the rests of coarser pairs.
function shownFlows() {
  return lowestFirst(published(flowsOf(product(), state.period, state.zone, state.side))).slice(0, state.most);
}

function arcPath(o, d) {
  const [x1, y1, x2, y2] = [MAP.x[o], MAP.y[o], MAP.x[d], MAP.y[d]];
  const [cx, cy] = [(x1 + x2) / 2 - BEND * (y2 - y1), (y1 + y2) / 2 + BEND * (x2 - x1)];
  return { d: `M${x1} ${y1}Q${Math.round(cx)} ${Math.round(cy)} ${x2} ${y2}`, end: [x2, y2], angle: Math.atan2(y2 - cy, x2 - cx) };
}

function arcElement(row, width) {
  const isChosen = state.pair && state.pair[0] === row.o && state.pair[1] === row.d;
  const colour = isChosen ? "#c4510a" : ARC;
  const look = { stroke: colour, "stroke-opacity": isChosen ? 1 : 0.4 + 0.5 * OPACITY[trustOf(row)] - 0.15, "stroke-width": width, fill: "none" };
  if (row.o === row.d) return [el("circle", { cx: MAP.x[row.o], cy: MAP.y[row.o], r: 26 + width, ...look })];
  const arc = arcPath(row.o, row.d);
  const size = 18 + 1.6 * width;
  const wing = (turn) => arc.end.map((x, k) => Math.round(x - size * (k ? Math.sin(arc.angle + turn) : Math.cos(arc.angle + turn)))).join(" ");
  const head = el("path", { d: `M${arc.end.join(" ")}L${wing(0.45)}L${wing(-0.45)}z`, fill: colour, "fill-opacity": look["stroke-opacity"] });
  return [el("path", { d: arc.d, stroke: "#ffffff", "stroke-opacity": 0.7, "stroke-width": width + 6, fill: "none" }), el("path", { d: arc.d, ...look }), head];
}

function paintArcs() {
  const rows = product().flows && byId("arcs-on").checked ? shownFlows() : [];
  const most = Math.max(...rows.map((row) => row.v), 1e-9);
  const width = (row) => Math.round(5 + 27 * Math.sqrt(row.v / most));
  byId("arcs").setAttribute("pointer-events", "none");
  byId("arcs").replaceChildren(...[...rows].reverse().flatMap((row) => arcElement(row, width(row))));
}

const pairText = (o, d) => `${zoneText(o)} \u2192 ${zoneText(d)}`;
// An arrow points the way one reads; in Arabic that is to the left.
const arrow = () => (isRightToLeft() ? "\u2190" : "\u2192");
