// The drawer that explains a figure: readings → intervals → factor → sum, as the server derives it.

import * as api from "./api.js";
import * as decimal from "./decimal.js";
import { h, setState, setText } from "./dom.js";
import { barName, exactText, mass } from "./format.js";
import { t } from "./i18n.js";
import { byId, flagChips, problemText, qualityMark } from "./pieces.js";
import { factorPieces } from "./enterprise.js";
import { momentText, moment, stamp } from "./time.js";

const ROWS = 48; // of a table at first

let asking = null;

export function prepareDrawer() {
  const drawer = byId("derivation");
  byId("derivation-close").addEventListener("click", () => drawer.close());
  drawer.addEventListener("close", () => asking?.abort());
  // a click beside the drawer lands on the dialog itself: its backdrop
  drawer.addEventListener("click", (event) => { if (event.target === drawer) drawer.close(); });
}

export async function fetchDerivation(uscc, source, from, to, signal) {
  return api.get(api.enterprisePath(uscc, "derivation"), { source, from: stamp(from), to: stamp(to) }, signal);
}

/** Opens the drawer on one source over one bar. `zoom`: {label, go} to open the period itself, where it has parts. */
export async function openDerivation(uscc, source, { from, to, granularity, label }, zoom = null) {
  const drawer = byId("derivation");
  const body = byId("derivation-body");
  asking?.abort();
  asking = new AbortController();
  setText(byId("derivation-heading"), `${label} · ${barName(granularity, from, to)}`);
  body.replaceChildren();
  drawer.querySelector(":scope > .message").replaceChildren();
  setState(body, "loading");
  if (!drawer.open) drawer.showModal();
  try {
    const answer = await fetchDerivation(uscc, source, from, to, asking.signal);
    body.replaceChildren(...pieces(answer, zoom && { ...zoom, go: () => { drawer.close(); zoom.go(); } }));
    setState(body, "ready");
  } catch (problem) {
    if (problem.name === "AbortError") return;
    setState(body, "error");
    drawer.querySelector(":scope > .message").replaceChildren(...problemText(problem));
  }
}

function pieces(answer, zoom) {
  const intervals = answer.intervals ?? [];
  const known = intervals.filter((one) => one.co2e_kg !== null);
  const sum = decimal.parse(answer.co2e_kg);
  return [
    section(4, t("derivation.step.sum"), sumPieces(answer, sum, known.length, intervals.length - known.length, zoom)),
    section(3, t("derivation.step.factor"), factorSection(answer)),
    section(2, t("derivation.step.intervals"), intervalTable(intervals)),
    section(1, t("derivation.step.readings"), (answer.channels ?? []).flatMap(channelPieces)),
    h("section", {}, h("details", {}, h("summary", {}, t("derivation.json")), h("pre", { class: "equation" }, JSON.stringify(answer, null, 1)))),
  ];
}

function section(number, title, content) {
  return h("section", {}, h("h3", {}, h("span", { class: "step", "aria-hidden": "true" }, String(number)), title), content);
}

function sumPieces(answer, sum, count, unknown, zoom) {
  const { value, unit, exact } = mass(sum);
  return [
    h("p", { class: "answer", title: exact }, h("data", { value: answer.co2e_kg ?? "" }, value), " ", h("span", { class: "unit" }, unit ? `${unit} CO₂e` : "")),
    sum === null ? h("p", {}, t("derivation.nothing")) : h("p", { class: "equation" }, exact),
    count ? h("p", { class: "muted" }, t("derivation.sum", { count })) : null,
    unknown ? h("p", { class: "muted" }, t("derivation.missing", { count: unknown })) : null,
    zoom ? h("button", { type: "button", onclick: zoom.go }, zoom.label) : null,
  ].filter(Boolean);
}

function pairs(entries) {
  return h("dl", { class: "pairs" }, entries.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

function factorSection(answer) {
  return [
    h("p", { class: "equation" }, answer.formula ?? ""),
    ...factorPieces(answer.factors ?? []),
    pairs([
      [t("derivation.method"), answer.method], [t("derivation.clause"), answer.clause], [t("derivation.edition"), answer.edition],
      [t("derivation.rules"), answer.rules_version], [t("derivation.set"), answer.factor_set],
    ]),
  ];
}

/** A table that shows its first rows, and more of them on request. */
function table(heads, rows, draw) {
  const body = h("tbody", {}, rows.slice(0, ROWS).map(draw));
  const more = rows.length > ROWS ? h("button", {
    type: "button", onclick: () => { body.append(...rows.slice(ROWS).map(draw)); more.remove(); },
  }, t("derivation.more", { count: rows.length - ROWS })) : null;
  return [h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, heads.map(([text, kind]) => h("th", { scope: "col", class: kind }, text)))), body)), more].filter(Boolean);
}

function intervalTable(intervals) {
  return table(
    [[t("time")], [t("derivation.consumption"), "figure"], [t("derivation.emission"), "figure"], [t("quality")]], intervals,
    (one) => h("tr", {}, h("th", { scope: "row" }, momentText(moment(one.at))),
      h("td", { class: one.amount === null ? "figure is-missing" : "figure" }, one.amount === null ? t("quality.missing") : `${exactText(decimal.parse(one.amount))} ${one.unit ?? ""}`),
      h("td", { class: "figure" }, one.co2e_kg === null ? "–" : `${exactText(decimal.parse(one.co2e_kg))} kg`),
      h("td", {}, qualityMark(one.quality, null, true), " ", flagChips(one.flags ?? []))));
}

function channelPieces(channel) {
  return [
    h("h4", {}, `${channel.sign < 0 ? "− " : ""}${channel.channel} · ${channel.meter ?? ""}`),
    ...table([[t("time")], [t("reading"), "figure"], [t("flags")]], channel.readings ?? [], (one) => h("tr", {},
      h("th", { scope: "row" }, momentText(moment(one.at))),
      h("td", { class: "figure", title: t("derivation.sent", { value: one.sent ?? one.value }) }, one.value),
      h("td", {}, flagChips(one.flags ?? [])))),
  ];
}
