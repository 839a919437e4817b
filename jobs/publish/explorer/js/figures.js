// The headline: what the period says in one sentence, its change, its age, and a few large numbers.

const DAY_MS = 86_400_000;
const MOST_FIGURES = 6;

// The reader's date, as days of the calendar are counted: a day is a day, whatever the hour.
function today() {
  const now = new Date();
  return Date.UTC(now.getFullYear(), now.getMonth(), now.getDate());
}

function ageText() {
  const until = period().release.until && period().release.until < period().last ? period().release.until : period().last;
  const age = Math.round((today() - Date.parse(until)) / DAY_MS);
  const known = age >= 0 ? say("dataAge", { date: dayText(until), age: number(age) }) : say("dataUntil", { date: dayText(until) });
  return period().release.provisional ? `${known} ${say("provisional")}` : known;
}

const figure = (label, n, sort, unit) => ({ label, n, sort, unit: unit ?? product().unit });
const before = () => (state.period > 0 ? product().periods[state.period - 1] : null);

function headline() {
  const one = product();
  if (one.form === "event") return eventHeadline(one);
  if (one.form === "pairs") return numberHeadline(estimateAt(one.total, state.period));
  if (one.form === "bins") return binHeadline();
  const chosen = one.layers[0];
  return numberHeadline(estimateAt((chosen.country || {})[combosOf(chosen)], state.period));
}

function numberHeadline(n) {
  const gaps = { what: comboText() ? `${productText(product())} (${comboText()})` : productText(product()), period: periodText(period()) };
  return n ? say("headlineNumber", { ...gaps, n: withRange(n, "stock", product().unit), unit: unitText(product().unit) }) : say("headlineNone", gaps);
}

function binHeadline() {
  const share = product().share[state.period];
  if (!share) return say("headlineNone", { what: productText(product()), period: periodText(period()) });
  const [v, a, b] = share.map((x) => plainNumber(100 * x, 1));
  return say("headlineBins", { share: percent(v), range: percent(`${a}${TO}${b}`), period: periodText(period()) });
}

function eventHeadline(one) {
  const n = estimateAt(one.area.people, state.period);
  const gaps = { area: sayOf("areas", one.event.hazard, words.areas.any), when: periodText(period()) };
  if (!n) return say("headlineNone", { what: productText(one), period: periodText(period()) });
  return trustOf(n) === "not" ? say("headlineUnsure", { ...gaps, most: valueText({ v: high(n), s: n.s }, one.unit) }) : say("headlineAway", { ...gaps, n: withRange(n, "stock", one.unit) });
}

function againstUsual(above, unit) {
  const below = { v: -above.v, s: above.s };
  if (trustOf(above) !== "not") return say("moreThanUsual", { n: withRange(above, "stock", unit) });
  return trustOf(below) === "not" ? say("asUsual") : say("fewerThanUsual", { n: withRange(below, "stock", unit) });
}

function changes() {
  const one = product();
  if (one.form !== "event") return one.form === "pairs" ? say("totalNote") : "";
  const above = estimateAt(one.area.excess, state.period);
  const isBefore = period().last < one.event.onset;
  const usual = isBefore ? say("beforeEvent") : !above ? say("usualUnknown") : againstUsual(above, one.unit);
  const seen = estimateAt(one.area.seen, state.period);
  const away = estimateAt(one.area.away, state.period);
  const reckoned = one.area.reckoned[state.period] && seen && away ? say("reckoned", { share: shareText(seen), n: withRange(away, "stock", one.unit) }) : say("unseenLeftOut");
  return `${usual} ${reckoned}`;
}

function figuresShown() {
  const one = product();
  if (one.form === "event") {
    const at = (name) => estimateAt(one.area[name], state.period);
    const daily = period().kind === "week" ? "PerDay" : "";
    return [figure(say("cardAway"), at("people"), "stock"), figure(say("cardExcess"), at("excess"), "stock"),
      figure(say(`cardNewly${daily}`), at("newly"), "flow"), figure(say(`cardReturned${daily}`), at("returned"), "flow"), ...(at("gone") ? [figure(say("noLonger"), at("gone"), "share")] : [])];
  }
  if (one.form === "pairs") return pairFigures(one);
  if (one.form === "bins") return [];
  const chosen = one.layers[0];
  const simple = chosen.combos.filter((combo) => combo.parts.length < 2).slice(0, MOST_FIGURES);
  return simple.map(({ id }) => figure(comboTextOf(chosen, id) || layerText(chosen), estimateAt(chosen.country[id], state.period), chosen.sort));
}

function pairFigures(one) {
  const flows = one.flows[state.period];
  const at = (name) => estimateAt(one[name], state.period);
  const within = at("within");
  return [figure(say("cardTotal"), at("total"), "flow"), figure(say("cardPublished", { count: number(flows.published) }), at("published"), "flow"),
    ...(within.s > 0 ? [figure(say("cardWithin"), within, "flow")] : []), figure(say("cardRemainder"), estimateOf(flows.rest), "flow")];
}

function figureElement(one) {
  const known = one.n && (one.sort === "share" ? trustOf(one.n, "share") : trustOf(one.n)) !== "not";
  const value = !one.n ? say("notReleased") : known ? textOf(one.n, one.sort, one.unit) : say("notKnown");
  return el("div", {}, el("dt", {}, one.label), el("dd.value", {}, value),
    one.n ? el("dd.range", {}, say("interval"), words.colon, el("bdi", {}, rangeOf(one.n, one.sort, one.unit))) : null,
    one.n ? el("dd.trust", {}, words.trust[trustOf(one.n, one.sort)]) : null);
}

function networkText() {
  const report = reportOf(period());
  if (!report) return say("networkMissing");
  const stale = period().network === period().last ? "" : ` ${say("networkStale", { date: dayText(period().last) })}`;
  const counted = report.cells ? say("networkDown", { down: number(report.down), cells: number(report.cells) }) : say("networkPhones");
  return `${say("networkOn", { date: dayText(period().network) })} ${counted}${stale}`;
}

function paintFigures() {
  const one = product();
  document.title = say("documentTitle", { title: one.event ? one.event.name : productText(one) });
  byId("title").replaceChildren(one.event ? el("bdi", {}, one.event.name) : productText(one));
  byId("period-title").textContent = periodText(period());
  byId("headline").textContent = headline();
  byId("changes").textContent = changes();
  byId("age").textContent = ageText();
  byId("kind").textContent = one.form === "event" ? say("kindAway") : say("kindAll", { unit: unitText(one.unit) });
  show("figures", figuresShown().map(figureElement));
  byId("network").textContent = one.form === "event" || state.layer === "network" ? networkText() : "";
}
