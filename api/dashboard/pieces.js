// Small pieces that every part of the page shows in the same way.

import * as decimal from "./decimal.js";
import { h, setAttribute, setState, setText } from "./dom.js";
import { mass, percent } from "./format.js";
import { has, t } from "./i18n.js";

export const byId = (id) => document.getElementById(id);

/** A mass in an element: short for the eye, every digit in the title and in the value. */
export function showMass(element, kg, options = {}) {
  const { value, unit, exact } = mass(kg, options);
  setText(element, unit ? `${value} ${unit}` : value);
  setAttribute(element, "title", exact);
  setAttribute(element, "data-exact", decimal.text(kg));
}

const SHAPES = { measured: "●", interpolated: "◑", estimated: "◔", missing: "○" };

/** Quality by shape, colour and words, with the coverage where it isn't whole. */
export function qualityMark(quality, coverage = null, withWord = false) {
  const part = coverage !== null && coverage < 1;
  const words = `${t(`quality.${quality}`)}${part ? `, ${t("coverage.of", { coverage: percent(coverage) })}` : ""}`;
  const shown = [withWord ? t(`quality.${quality}`) : null, part ? percent(coverage) : null].filter(Boolean).join(" · ");
  return h("span", { class: `mark is-${quality}`, title: words },
    h("span", { class: "shape", "aria-hidden": "true" }, SHAPES[quality] ?? "○"),
    h("span", { class: "unseen" }, words), shown ? h("span", { "aria-hidden": "true" }, ` ${shown}`) : null);
}

export function flagChips(flags) {
  return flags.map((flag) => h("span", { class: `chip flag is-${flag}` }, t(`flag.${flag}`)));
}

/** How far a factor is to be trusted: M and L stand out. */
export function confidenceMark(confidence) {
  if (!confidence) return null;
  const known = ["H", "M", "L"].includes(confidence);
  return h("span", { class: `confidence is-${confidence}`, title: known ? t(`confidence.${confidence}`) : confidence }, confidence);
}

/**
 * The figures of a factor: value, unit, how far each is to be trusted; and, once for those that share it, how they were
 * chosen and where they were read.
 */
export function factorPieces(figures) {
  const groups = new Map();
  for (const one of figures) {
    const said = [originText(one.origin), one.year ?? one.edition, one.reference].filter(Boolean).join(" · ");
    if (!groups.has(said)) groups.set(said, []);
    groups.get(said).push(one);
  }
  return [...groups].map(([said, own]) => h("div", { class: "factor-group" },
    own.map((one) => h("span", { class: "factor-one" },
      h("span", { class: "muted" }, figureName(one.name)), " ", h("span", { class: "figure" }, one.value ?? "–"), " ",
      h("span", { class: "unit" }, one.unit ?? ""), " ", confidenceMark(one.confidence),
      one.provisional ? h("span", { class: "chip is-provisional", title: t("provisional.why") }, t("provisional")) : null)),
    said ? h("span", { class: "reference muted" }, said) : null));
}

function figureName(name) {
  return has(`figure.${name}`) ? t(`figure.${name}`) : name?.replaceAll("_", " ");
}

function originText(origin) {
  const key = `origin.${origin?.replaceAll(" ", "_")}`;
  return has(key) ? t(key) : origin;
}

/** What a source does, in words where the page has them. */
export function methodText(method) {
  return has(`method.${method}`) ? t(`method.${method}`) : method?.replaceAll("_", " ");
}

export function fuelText(fuel) {
  return has(`fuel.${fuel}`) ? t(`fuel.${fuel}`) : fuel?.replaceAll("_", " ");
}

/** A part of the page without its figures: "empty" with a sentence, or "error" with the problem's own words. */
export function showProblem(panel, state, problem, retry = null) {
  setState(panel, state);
  const message = panel.querySelector(":scope > .message");
  message.replaceChildren(...problemText(problem));
  if (retry) message.append(h("button", { type: "button", onclick: retry }, t("retry")));
}

export function problemText(problem) {
  if (typeof problem === "string") return [problem];
  if (problem.status === 403) return [h("strong", {}, t("error.forbidden")), " ", problem.detail ?? ""];
  const title = problem.title ?? problem.message;
  const parts = [h("strong", {}, problem.status ? `${problem.status} ${title}` : title)];
  if (problem.detail && problem.detail !== title) parts.push(" ", problem.detail);
  if (problem.faults?.length) parts.push(h("ul", {}, problem.faults.map((fault) => h("li", {}, fault))));
  return parts;
}

/** A row of buttons of which one is pressed. */
export function choices(element, options, chosen, choose) {
  const key = JSON.stringify([options, chosen]);
  if (element.drawnFrom === key) return;
  element.drawnFrom = key;
  const had = element.contains(document.activeElement) ? document.activeElement.dataset.value : null;
  element.replaceChildren(...options.map(([value, label]) =>
    h("button", { type: "button", "data-value": value, "aria-pressed": String(value === chosen), onclick: () => choose(value) }, label)));
  if (had) element.querySelector(`[data-value="${CSS.escape(had)}"]`)?.focus();
}
