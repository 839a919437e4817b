// What the reader sees, in the chosen language. Codes, numbers and ranges keep their own direction in a line of Arabic.

const CATALOGUES = JSON.parse(document.getElementById("words").textContent);
const LANGUAGES = Object.keys(CATALOGUES);
let words = CATALOGUES.en;

const isRightToLeft = () => words.direction === "rtl";

function speak(language) {
  words = CATALOGUES[language] || CATALOGUES.en;
  document.documentElement.lang = words.language;
  document.documentElement.dir = words.direction;
}

function fill(text, gaps = {}) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in gaps ? String(gaps[name]) : whole));
}

const say = (key, gaps) => fill(words[key], gaps);
const sayOf = (table, key, otherwise) => words[table][key] ?? otherwise ?? key;

// U+2066 and U+2068 open an isolate from left to right, or of the text's own direction; U+2069 closes it.
const ltr = (text) => (isRightToLeft() ? `\u2066${text}\u2069` : String(text));
const own = (text) => `\u2068${text}\u2069`;

function plainNumber(x, decimals = 0) {
  const fixed = (Math.round(x * 10 ** decimals) / 10 ** decimals + 0).toFixed(decimals);
  const [whole, part] = fixed.replace("-", "").split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, words.thousands);
  return (Number(fixed) < 0 ? "\u2212" : "") + grouped + (part ? words.decimal + part : "");
}

const number = (x, decimals) => ltr(plainNumber(x, decimals));

const leastStep = (unit) => (unit === "subscribers" ? 1 : 0.1);

// In a sentence a number has the digits that its interval allows; in a table one more, for those who go on with it.
function parts(n, unit, finer) {
  const step = finer ? Math.max(leastStep(unit), stepOf(n, 0) / 10) : stepOf(n, leastStep(unit));
  return [n.v, low(n), high(n)].map((x) => plainNumber(Math.max(0, roundTo(step, x)), decimalsOf(step)));
}

// A line may break after a dash, even before a space that forbids it: a word joiner, U+2060, holds a range together.
const TO = "\u00a0\u2013\u2060\u00a0";
const range = (a, b) => ltr(`${a}${TO}${b}`);
const valueText = (n, unit, finer) => ltr(parts(n, unit, finer)[0]);
const rangeText = (n, unit, finer) => { const [, a, b] = parts(n, unit, finer); return range(a, b); };

function shareParts(n) {
  const whole = (x) => plainNumber(100 * Math.min(1, Math.max(0, x)));
  return [n.v, low(n), high(n)].map(whole);
}
const percent = (text) => ltr(fill(words.percent, { value: text }));
const shareText = (n) => percent(shareParts(n)[0]);
const shareRange = (n) => { const [, a, b] = shareParts(n); return percent(`${a}${TO}${b}`); };

const textOf = (n, sort, unit, finer) => (sort === "share" ? shareText(n) : valueText(n, unit, finer));
const rangeOf = (n, sort, unit, finer) => (sort === "share" ? shareRange(n) : rangeText(n, unit, finer));
const withRange = (n, sort, unit) => say("withRange", { value: textOf(n, sort, unit), range: rangeOf(n, sort, unit) });

function dayText(iso) {
  const [year, month, day] = iso.split("-").map(Number);
  return fill(words.date, { day: ltr(day === 1 ? words.firstDay : day), month: words.months[month - 1], year: ltr(year) });
}
function shortDay(iso) {
  const [, month, day] = iso.split("-").map(Number);
  return fill(words.shortDate, { day: ltr(day), month: words.shortMonths[month - 1] });
}
const days = (a, b) => say("days", { first: dayText(a), last: dayText(b) });

function periodText(period) {
  if (period.kind === "day") return dayText(period.id);
  const gaps = { code: ltr(period.id), days: days(period.first, period.last) };
  return say(period.kind === "week" ? "weekOf" : "monthOf", gaps);
}
const periodCode = (period) => (period.kind === "day" ? shortDay(period.id) : ltr(period.id));

const unitText = (unit) => sayOf("units", unit, own(unit));
