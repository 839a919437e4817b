// Elements, made without markup: whatever a bundle's texts hold, they are set as text.

const SVG = "http://www.w3.org/2000/svg";
const SVG_NAMES = new Set(["svg", "g", "path", "circle", "line", "rect", "text", "title", "desc", "defs", "pattern", "polyline"]);

function el(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const made = SVG_NAMES.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  if (classes.length) made.setAttribute("class", classes.join(" "));
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

const byId = (id) => document.getElementById(id);
const show = (id, ...children) => byId(id).replaceChildren(...children.flat().filter((child) => child || child === 0));

function options(select, choices, chosen) {
  const told = JSON.stringify(choices);
  if (select.dataset.told !== told) select.replaceChildren(...choices.map(([value, text]) => el("option", { value }, text)));
  select.dataset.told = told;
  select.value = chosen;
  select.closest(".field").hidden = choices.length < 2;
}

// A label above a control.
const field = (id, text, control) => el("div.field", {}, el("label", { for: id }, text), control);

// One of several choices, as buttons that can be pressed.
function radios(name, legend, choices, chosen, act) {
  const boxes = choices.map(([value, text]) => el("label", {},
    el("input", { type: "radio", name, value, checked: value === chosen, onchange: () => act(value) }), el("span", {}, text)));
  return el("fieldset.radios", {}, el("legend", {}, legend), boxes);
}

// A zone as its reader knows it: the name where there is one, and always the code.
function zoneText(zone) {
  const code = ltr(MAP.codes[zone]);
  return nameOf(zone) ? `${own(nameOf(zone))} (${code})` : code;
}
function zoneCell(zone) {
  const code = el("bdi.code", { dir: "ltr" }, MAP.codes[zone]);
  return nameOf(zone) ? [el("bdi", {}, nameOf(zone)), " ", code] : [code];
}
