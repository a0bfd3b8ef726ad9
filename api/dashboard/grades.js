// The green grade of an enterprise: the label and what it stands on, how far the next one is, and the grades before.

import * as api from "./api.js";
import * as decimal from "./decimal.js";
import { h, fill, setAttribute, setState, setText } from "./dom.js";
import { exactText, percent, shortText } from "./format.js";
import { currentLanguage, has, t } from "./i18n.js";
import { byId, confidenceMark, showProblem } from "./pieces.js";

const SHOWN_MAX = 24; // of the grades before

// Colours of the labels of every shipped scheme; a label of another scheme goes without, its words say it anyway.
const TONES = {
  DEEP_GREEN: "deep", GREEN: "deep", A: "deep", LEVEL_1: "deep",
  LIGHT_GREEN: "light", B: "light", LEVEL_2: "light", BLUE: "blue",
  YELLOW: "yellow", C: "yellow", LEVEL_3: "yellow",
  ORANGE: "orange", D: "orange", LEVEL_4: "orange",
  RED: "red", E: "red", LEVEL_5: "red", FAIL: "red",
};

/** The grade that counts (annual, else published, else indicative: the server's choice) and every record; null: none yet. */
export async function fetchGrades(uscc, signal) {
  const records = await api.list(api.enterprisePath(uscc, "grades"), {}, signal);
  if (!records.length) return { grade: null, records };
  return { grade: await api.get(api.enterprisePath(uscc, "grade"), {}, signal), records };
}

export function showGrades({ grade, records }) {
  const panel = byId("grades");
  setText(byId("grade-what"), grade ? periodText(grade) : "");
  if (!grade) return showProblem(panel, "empty", t("grades.empty"));
  setState(panel, "ready");
  fill(byId("grade-body"), [grade, currentLanguage()], () => gradePieces(grade));
  fill(byId("grade-history"), [records, grade.id, currentLanguage()], () => historyPieces(records, grade.id));
  return undefined;
}

function periodText({ kind, period, scheme }) {
  return `${t(`gradekind.${kind}`)} · ${period.from} – ${period.to} · ${scheme.id} ${scheme.version}`;
}

/** A label of a scheme in words; the scheme's own Chinese name where it is at hand. */
function labelText(label, zh = null) {
  if (currentLanguage() === "zh" && zh) return zh;
  return has(`grade.${label}`) ? t(`grade.${label}`) : label.replaceAll("_", " ");
}

function score(text) {
  return shortText(decimal.parse(text), 2);
}

function gradePieces(grade) {
  const headline = h("p", { class: "grade-head" },
    h("strong", { class: `grade-label is-${TONES[grade.label] ?? "none"}`, "data-label-code": grade.label }, labelText(grade.label, grade.label_zh)),
    grade.score === null ? null : h("span", { class: "grade-score" }, h("span", { class: "muted" }, "S "),
      h("data", { value: grade.score, title: grade.score_exact }, score(grade.score)), h("span", { class: "unit" }, " / 100")),
    grade.provisional ? h("span", { class: "chip is-provisional", title: t("grades.provisional.why") }, t("grades.provisional")) : null,
    grade.state === "VERIFYING" ? h("span", { class: "chip is-provisional" }, t("grades.verifying")) : null,
    grade.coverage === null ? null : h("span", { class: "muted" }, t("coverage.of", { coverage: percent(grade.coverage) })));
  return [headline, h("div", { class: "grade-parts" }, dimensionPieces(grade), distancePieces(grade.distance)), reasonPieces(grade)];
}

/** Scores by dimension as bars, each with its weight, and with what it was put beside. */
function dimensionPieces(grade) {
  const codes = Object.keys(grade.scores);
  if (!codes.length) return null;
  return h("div", {}, h("h4", {}, t("grades.dimensions")), h("ul", { class: "dimensions" }, codes.map((code) =>
    h("li", { "data-dimension": code },
      h("span", {}, has(`dimension.${code}`) ? `${code} ${t(`dimension.${code}`)}` : code),
      h("span", { class: "figure" }, h("data", { value: grade.scores[code] }, score(grade.scores[code])),
        h("span", { class: "muted" }, ` × ${shortText(decimal.parse(grade.weights[code] ?? null), 2)}`)),
      h("span", { class: "meter", "aria-hidden": "true" }, h("i", { style: `width: ${Math.min(100, Math.max(0, Number(grade.scores[code])))}%` }))))),
  grade.benchmarks.map((one) => h("p", { class: "muted" }, `${one.product}: ${score(one.value)} ${one.unit} · ${one.standard} `, confidenceMark(one.confidence))),
  grade.peers ? h("p", { class: "muted" }, t("grades.peers", { k: score(grade.peers.k), step: t(`peers.${grade.peers.step}`), n: grade.peers.n ?? "–" })) : null);
}

/** What is wanting to the next label: points, tonnes, and the fall of each intensity in its unit. */
function distancePieces(distance) {
  if (!distance) return null;
  const reduction = decimal.parse(distance.d_tco2e);
  return h("div", { class: "distance" },
    h("h4", {}, t("grades.distance", { label: labelText(distance.to_label) })),
    reduction === null ? h("p", {}, t("grades.unreachable")) : h("p", { class: "rate small" },
      "−", h("data", { value: distance.d_tco2e, title: `${exactText(reduction)} tCO₂e` }, shortText(reduction)),
      h("span", { class: "unit" }, " tCO₂e"), h("span", { class: "muted" }, `${(Number(distance.d_share) * 100).toFixed(1)} %`)),
    h("p", { class: "muted" }, t("grades.points", { points: score(distance.d_score), score: score(distance.to_score) })),
    distance.d_unit.length ? h("ul", { class: "units" }, distance.d_unit.map((one) => h("li", {},
      `${has(`denominator.${one.of}`) ? t(`denominator.${one.of}`) : one.of}: ${shortText(decimal.parse(one.from), 4)} − ${shortText(decimal.parse(one.by), 4)} ${unitText(one.unit)}`))) : null,
    distance.blocked_by.length ? h("p", { class: "blocked" }, t("grades.blocked", { by: distance.blocked_by.map(capText).join(t("list.comma")) })) : null);
}

function unitText(unit) {
  return has(`gradeunit.${unit}`) ? t(`gradeunit.${unit}`) : unit;
}

function capText(id) {
  return has(`cap.${id}`) ? t(`cap.${id}`) : id;
}

// Reasons come as the record's own English words; those that every scheme can give are told in the page's language.
const REASONS = [
  [/^COVERAGE: too little/, "reason.coverage_low"],
  [/^COVERAGE: part/, "reason.coverage_part"],
  [/^SHORT: (?<n>\d+) closed/, "reason.short"],
  [/^SHORT: (?<n>\d+) of (?<of>\d+)/, "reason.short_of"],
  [/^MATCHED: (?<what>\S+) stands on (?<n>\d+)/, "reason.matched"],
  [/^VERIFYING:/, "reason.verifying"],
  [/^RECONCILE:/, "reason.reconcile"],
  [/^TWO_HIGH:/, "reason.two_high"],
  [/^LAST_YEAR: (?<kind>\S+)/, "reason.last_year"],
  [/^NO_DIMENSION:/, "reason.no_dimension"],
  [/^(?<what>[\w ]+): PEERS /, "reason.peers"],
  [/^(?<what>[\w ]+): no product with a benchmark/, "reason.no_product"],
  [/^(?<what>[\w ]+): benchmarked products have too small/, "reason.small_share"],
  [/^(?<what>[\w ]+): (?<of>\S+) has too few months with energy/, "reason.product_months"],
  [/^(?<what>[\w ]+): (?<kind>\S+) is known for too few months/, "reason.denominator_months"],
  [/^(?<what>[\w ]+): nothing to compare (?<n>\d+) months/, "reason.no_trend"],
  [/^(?<what>[\w ]+): CURRENT_PRICES/, "reason.current_prices"],
];

function reasonText(reason) {
  for (const [pattern, key] of REASONS) {
    const groups = pattern.exec(reason)?.groups;
    if (pattern.test(reason)) return t(key, { ...groups, kind: groups?.kind ? t(`denominator.${groups.kind}`) : "" });
  }
  return reason;
}

function reasonPieces({ reasons, ceilings, overrides }) {
  const caps = [...ceilings, ...overrides].map((one) =>
    h("li", { title: one.why }, t("grades.cap", { label: labelText(one.cap), by: capText(one.id) })));
  // one entry may carry several, of the denominators that were tried
  const said = [...new Set(reasons.flatMap((one) => (one.includes("(") ? [one] : one.split("; "))))];
  if (!said.length && !caps.length) return h("p", { class: "muted" }, t("grades.no_reasons"));
  return h("div", { class: "grade-reasons" }, h("h4", {}, t("grades.reasons")),
    h("ul", {}, caps, said.map((reason) => h("li", { title: reason }, reasonText(reason)))));
}

/** The newest record of each month and kind, the first month first; what was superseded isn't in it. */
function historyPieces(records, current) {
  const newest = new Map(records.map((one) => [`${one.period.to} ${one.kind}`, one]));
  const shown = [...newest.values()].sort((one, other) => one.period.to.localeCompare(other.period.to) || one.id - other.id).slice(-SHOWN_MAX);
  return shown.map((one) => {
    const words = `${one.period.to} · ${t(`gradekind.${one.kind}`)} · ${labelText(one.label, one.label_zh)}${one.score === null ? "" : ` · S ${score(one.score)}`}`;
    const item = h("li", { class: `is-${TONES[one.label] ?? "none"}`, title: words, "data-grade": one.id },
      h("span", { class: "tone", "aria-hidden": "true" }), h("span", { class: "month" }, one.period.to), h("span", { class: "unseen" }, words));
    setAttribute(item, "aria-current", one.id === current ? "true" : null);
    return item;
  });
}
