// What the numbers cannot say, and where they come from.

function blindPoints() {
  const one = product();
  const km = one.minAwayKm ? number(one.minAwayKm) : say("some");
  return (words.blind[one.form] || []).concat(words.blind.all).map((text) => fill(text, { km, cut: one.cut ? number(one.cut) : "" }));
}

const fact = (term, ...texts) => [el("dt", {}, term), el("dd", {}, ...texts)];
const code = (text) => el("bdi.code", { dir: "ltr" }, text);
const quoted = (text) => el("bdi", { lang: "en" }, text);

function sourceFacts() {
  const one = product();
  const { release } = period();
  return [
    fact(say("sourceTitle"), quoted(release.title)),
    fact(say("sourceRelease"), code(release.slug), " · ", say("revision", { n: number(release.revision) }), " · ", say("sealedOn", { date: dayText(release.sealed.slice(0, 10)) })),
    fact(say("definition"), code(one.definition), " ", quoted(one.definitionText)),
    fact(say("unit"), unitText(one.unit)),
    fact(say("interval"), quoted(one.interval)),
    fact(say("clipping"), quoted(one.clipping)),
    fact(say("protected"), quoted(release.protected)),
    fact(say("cost"), el("bdi", { dir: "ltr" }, `ρ = ${release.rho}: ${release.epsilon}`), " ", quoted(release.mechanism)),
    fact(say("sensitivity"), quoted(release.sensitivity)),
    fact(say("digest", { file: ltr(release.file) }), code(release.sha256)),
    fact(say("ledgerHead"), code(release.head)),
    fact(say("checkedTerm"), sayOf("checked", DATA.checked)),
  ].flat();
}

function allSources() {
  const rows = DATA.products.flatMap((one) => one.periods.map((p) => el("li", {}, code(p.release.slug), " ", code(p.release.sha256.slice(0, 16)))));
  return rows.length > 1 ? el("details", {}, el("summary", {}, say("allReleases", { n: number(rows.length) })), el("ul", {}, rows)) : null;
}

function paintProvenance() {
  show("blind-list", blindPoints().map((text) => el("li", {}, text)));
  show("sources", el("dl", {}, sourceFacts()), allSources(),
    MAP.base.length ? el("p", {}, say("basemapSource")) : null,
    MAP.codes.length ? el("p", { id: "disclaimer" }, say("disclaimer")) : null);
}
