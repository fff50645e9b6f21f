"use strict";

const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);
let asked = null; // what was asked for: a user id or a profile, without changes
let original = new Map(); // name of a feature to its value as it was shown before any change

function make(tag, attributes = {}, ...children) {
  const found = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) found.setAttribute(name, value);
  found.append(...children);
  return found;
}

function draw(tag, attributes, ...children) {
  const found = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) found.setAttribute(name, value);
  found.append(...children);
  return found;
}

const percent = (value) => (value < 0.001 ? "below 0.1\u00a0%" : value > 0.999 ? "above 99.9\u00a0%" : `${(100 * value).toFixed(1)}\u00a0%`);
const signed = (value) => `${value < 0 ? "\u2212" : "+"}${Math.abs(value).toFixed(2)}`;
const shown = (value) => (typeof value === "number" ? String(Number(value.toPrecision(6))) : (value ?? ""));
const plain = (name) => name.replaceAll("_", " ");

async function explain(changes) {
  byId("alert").replaceChildren();
  byId("status").textContent = "Asking ...";
  try {
    const response = await fetch(new URL("v1/explain", location.origin + location.pathname), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(changes ? { ...asked, changes } : asked),
      cache: "no-store",
    });
    const found = await response.json();
    if (response.ok) show(found, changes);
    else fail(found.error, found.hint);
  } catch {
    fail("The service does not answer.", "Is it running? Ask again.");
  } finally {
    byId("status").textContent = "";
  }
}

function fail(what, hint) {
  byId("alert").replaceChildren(make("b", {}, what), hint || "");
  byId("alert").scrollIntoView({ block: "nearest" });
}

function show(found, changes) {
  const { result } = found;
  const isScored = result.status === "scored";
  byId("answer").hidden = false;
  byId("verdict").textContent = isScored ? verdict(found) : unscored(result);
  byId("tiles").replaceChildren(...(isScored ? tiles(result) : []));
  byId("place").replaceChildren(...(isScored ? place(found) : []));
  byId("reasons").replaceChildren(...reasons(found.reasons));
  if (!changes) original = new Map(found.features.map((one) => [one.name, shown(one.value)]));
  byId("change").hidden = !found.features.length;
  if (!changes) byId("change").open = false;
  fill(found.features);
  byId("about").textContent = about(found);
  byId("heading").textContent = changes ? "The answer on the changed profile" : "The answer";
  byId("heading").focus();
}

function verdict({ result, before, recomputed }) {
  const risk = `${percent(result.churn_probability)}: riskier than ${result.percentile.toFixed(1)}\u00a0% of the reference population.`;
  if (!before) return risk;
  const was = before.churn_probability === null ? unscored(before) : `Before the changes: ${percent(before.churn_probability)}.`;
  const followed = recomputed.length ? ` Derived features that followed: ${recomputed.map(plain).join(", ")}.` : "";
  return `${risk} ${was} It is the model's answer, not what would happen.${followed}`;
}

const CODES = { unknown_user: "This id is not in the profile store.", not_eligible: "This user is not scored." };

const unscored = (result) => [CODES[result.code] || `No score: ${plain(result.code)}.`, result.detail || ""].join(" ").trim();

function tiles(result) {
  const shown = [
    ["Churn probability", percent(result.churn_probability)],
    ["Risk band", result.risk_band],
    ["Percentile", result.percentile.toFixed(1)],
    ["Profile as of", result.as_of || "not said"],
  ];
  if (result.arm) shown.push(["Arm", `${plain(result.arm)} (${result.epoch})`]);
  return shown.map(([label, value]) =>
    make("div", { class: "tile" }, make("span", { class: "label" }, label), make("b", { class: value === "high" ? "high" : "" }, value)));
}

function place({ result, high_percentile: high, medium_percentile: medium }) {
  const at = (value) => 10 + 5.8 * value;
  const bands = [["low", 0, medium], ["medium", medium, high], ["high", high, 100]].filter(([, from, to]) => to > from);
  const shapes = bands.flatMap(([name, from, to]) => [
    draw("rect", { class: `band ${name}`, x: at(from), y: 22, width: at(to) - at(from), height: 18 }),
    draw("text", { x: (at(from) + at(to)) / 2, y: 60, "text-anchor": "middle" }, name),
  ]);
  const x = at(result.percentile);
  shapes.push(draw("path", { class: "marker", d: `M${x - 7} 6 L${x + 7} 6 L${x} 20 Z` }));
  shapes.push(draw("path", { class: "marker", d: `M${x - 1} 18 h2 v24 h-2 Z` }));
  const words = `Percentile ${result.percentile.toFixed(1)} of the reference population; medium from ${medium}, high from ${high}`;
  return [
    draw("svg", { viewBox: "0 0 600 68", role: "img", "aria-label": words }, ...shapes),
    make("figcaption", {}, "Place in the reference population of the model, from the least risky to the riskiest. It is not a probability."),
  ];
}

function reasons(all) {
  const widest = Math.max(...all.map((one) => Math.abs(one.contribution)), 1e-9);
  return all.map((one) => {
    const width = (58 * Math.abs(one.contribution)) / widest;
    const bar = draw("rect", { class: one.contribution < 0 ? "down" : "up", x: one.contribution < 0 ? 60 - width : 60, y: 3, width, height: 10 });
    const axis = draw("line", { class: "axis", x1: 60, x2: 60, y1: 0, y2: 16 });
    const words = `${one.contribution < 0 ? "lowers" : "raises"} the risk by ${Math.abs(one.contribution).toFixed(2)}`;
    const picture = draw("svg", { viewBox: "0 0 120 16", role: "img", "aria-label": words }, bar, axis);
    return make("li", {}, make("span", {}, one.text, make("small", {}, plain(one.code))), picture, make("output", {}, signed(one.contribution)));
  });
}

function about({ model, quality }) {
  const state = quality.status === "ok" ? "" : ` Answers are ${quality.status}: ${quality.why}.`;
  return `${model.name} version ${model.version} (${model.alias}), tested at ${quality.test_cutoff} on ${quality.users} users: ` +
    `AUC ${quality.auc.toFixed(3)}, calibration error ${quality.calibration_error.toFixed(3)}.${state}`;
}

function fill(features) {
  const families = [...new Set(features.map((one) => one.family))];
  byId("features").replaceChildren(...families.map((family) =>
    make("fieldset", {}, make("legend", {}, plain(family)), ...features.filter((one) => one.family === family).map(row))));
  find();
}

function row(one) {
  const input = one.known.length ? choice(one) : number(one);
  input.id = `f-${one.name}`;
  input.disabled = one.is_derived;
  const kind = one.is_derived ? "follows from others" : one.unit;
  const found = make("div", { class: "feature" }, make("label", { for: input.id }, plain(one.name)), input, make("small", {}, `${one.description} (${kind})`));
  found.dataset.name = one.name;
  input.addEventListener("input", () => mark(found, input));
  mark(found, input);
  return found;
}

function number(one) {
  const found = make("input", { type: one.unit === "text" ? "text" : "number", step: "any" });
  if (one.low !== null) found.min = one.low;
  if (one.high !== null) found.max = one.high;
  found.value = shown(one.value);
  return found;
}

function choice(one) {
  const values = one.value === null || one.known.includes(one.value) ? one.known : [...one.known, one.value];
  const found = make("select", {}, make("option", { value: "" }, "not known"), ...values.map((value) => make("option", { value }, value)));
  found.value = one.value ?? "";
  return found;
}

const valueOf = (input) => (input.value === "" ? null : input.type === "number" ? Number(input.value) : input.value);

function mark(found, input) {
  found.classList.toggle("is-changed", !input.disabled && input.value !== original.get(found.dataset.name));
}

function find() {
  const words = byId("find").value.trim().toLowerCase();
  for (const one of document.querySelectorAll(".feature")) one.hidden = !one.textContent.toLowerCase().includes(words);
  for (const one of document.querySelectorAll("fieldset")) one.hidden = !one.querySelector(".feature:not([hidden])");
}

byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = byId("profile").value.trim();
  const user = byId("user").value;
  try {
    if (!user && !text) throw new Error("Give a user id, or a profile.");
    asked = user ? { user_id: user } : { profile: JSON.parse(text) };
  } catch (error) {
    fail(text && !user ? "The profile is not JSON." : error.message, text && !user ? error.message : "");
    return;
  }
  byId("answer").hidden = true;
  explain(null);
});

byId("changes").addEventListener("submit", (event) => {
  event.preventDefault();
  const inputs = [...document.querySelectorAll(".feature.is-changed :is(input, select)")];
  const changes = Object.fromEntries(inputs.map((input) => [input.id.slice(2), valueOf(input)]));
  if (inputs.length) explain(changes);
  else fail("Nothing is changed.", "Change a feature first.");
});

byId("changes").addEventListener("reset", (event) => {
  event.preventDefault();
  explain(null);
});

byId("find").addEventListener("input", find);
