// One enterprise: rolling windows, emissions by source over a day, month or year, its sources with the factor
// in force, its intensity.

import * as api from "./api.js";
import { drawEmissions, drawIntensity, sourceColour } from "./charts.js";
import * as decimal from "./decimal.js";
import { h, fill, keyed, setAttribute, setState, setText } from "./dom.js";
import { exactText, mass, percent, periodName, shortText } from "./format.js";
import { nameOf, t } from "./i18n.js";
import * as model from "./model.js";
import { named, viewTicks } from "./periods.js";
import { byId, factorPieces, flagChips, fuelText, methodText, qualityMark, showMass, showProblem } from "./pieces.js";
import { DAY, floorQuarter, moment, momentText, periodStart, stamp } from "./time.js";

export const WINDOWS = ["24h", "7d", "30d", "mtd", "ytd", "12m"];

export function showIdentity(enterprise, parks) {
  byId("enterprise").hidden = false;
  setText(byId("enterprise-name"), nameOf(enterprise));
  const park = parks.find((one) => one.code === enterprise.park);
  const facts = [t(`industry.${enterprise.industry}`), park ? nameOf(park) : enterprise.park, enterprise.uscc];
  setText(byId("enterprise-facts"), facts.filter(Boolean).join(" · "));
  fill(byId("enterprise-flags"), [enterprise.flags, t("flag.key")], () =>
    (enterprise.flags ?? []).map((flag) => h("span", { class: "chip" }, t(`flag.${flag}`))));
}

export async function fetchWindows(uscc, boundary, at, signal) {
  return api.get(api.enterprisePath(uscc, "windows"), { boundary, at: stamp(floorQuarter(at)) }, signal);
}

/** `registered`: the enterprise's sources, whose order gives them their colours. */
export function showWindows(answer, registered) {
  setState(byId("windows"), "ready");
  const found = WINDOWS.filter((name) => answer[name]).map((name) => ({ name, ...answer[name] }));
  keyed(byId("windows-items"), found, (one) => one.name, () =>
    h("li", { class: "panel tile" }, h("span", { class: "label muted" }), h("data", { class: "value" }), h("span", { class: "unit muted" }),
      h("span", { class: "shares", "aria-hidden": "true" }), h("span", { class: "known muted" })),
  (tile, one) => {
    const { value, unit, exact } = mass(decimal.parse(one.total.co2e_kg));
    const [label, figure, unitPiece, shares, known] = tile.children;
    setText(label, t(`window.${one.name}`));
    setAttribute(label, "title", `${momentText(moment(one.from))} – ${momentText(moment(one.to))}`);
    setText(figure, value);
    setAttribute(figure, "value", one.total.co2e_kg ?? "");
    setAttribute(figure, "title", exact);
    setText(unitPiece, unit ? `${unit} CO₂e` : t("missing.band"));
    fill(shares, one.by_source.map((part) => [part.source, part.co2e_kg]), () => sharePieces(one.by_source, registered));
    fill(known, [one.total.quality, one.coverage, t("quality")], () => one.coverage === null ? " " :
      [qualityMark(one.total.quality), ` ${t("coverage.of", { coverage: percent(one.coverage) })}`]);
  });
}

/** A thin bar of what each source emitted, as wide as its share; deductions aren't in it. */
function sharePieces(parts, registered) {
  return parts.map((part) => ({ ...part, amount: decimal.number(decimal.parse(part.co2e_kg)) ?? 0 })).filter(({ amount }) => amount > 0)
    .map(({ source, amount }) => h("i", { style: `flex-grow: ${amount}; background: ${sourceColour(colourIndex(source, registered))}` }));
}

function colourIndex(id, registered) {
  const index = registered.findIndex((source) => source.id === id);
  return index < 0 ? registered.length : index;
}

/**
 * A view's range: the day, month or year that holds `at`; without one the newest, which of days is the last 24 hours:
 * shortly after midnight the calendar's day says little.
 */
export function viewRange(view, at, end) {
  if (at === null && view === "day") return { from: end - DAY, to: end, name: t("view.last24h") };
  const inside = at ?? end - 1;
  return { from: periodStart(view, inside), to: periodStart(view, inside, 1), name: periodName(view, inside) };
}

/** Amounts of a view by source and in total. */
export async function fetchEmissions(uscc, { view, at, boundary }, end, now, signal) {
  const { from, to } = viewRange(view, at, end);
  const granularity = model.GRANULARITY[view];
  const parameters = { from: stamp(from), to: stamp(to), granularity, boundary };
  const [apart, whole] = await Promise.all(["source", "total"].map((by) =>
    api.list(api.enterprisePath(uscc, "emissions"), { ...parameters, by }, signal)));
  const options = { granularity, end: to, now };
  const sources = [...model.seriesBy(apart, "source", options)].map(([id, points]) => ({ id, points: named(points, granularity) }));
  return { view, at, end, from, to, now, granularity, boundary, sources, whole: named(model.series(whole, options), granularity) };
}

/** What a source is called: its id, and what it burns or buys. */
export function sourceLabel(source) {
  const what = [methodText(source?.method), fuelText(source?.fuel ?? source?.material)].filter(Boolean).join(t("list.comma"));
  return { id: source?.id ?? "", what };
}

/** `registered`: the enterprise's sources in the order of the registry, which gives each its lasting colour. */
export async function showEmissions(answer, registered, { choose, goTo }) {
  const panel = byId("emissions");
  const { view, from, to, now, whole, granularity } = answer;
  const { name } = viewRange(view, answer.at, answer.end);
  setText(byId("period-name"), name);
  const sources = answer.sources.map((source) => {
    const index = colourIndex(source.id, registered);
    const { id, what } = sourceLabel({ ...registered[index], id: source.id });
    return { ...source, index, label: id, what, sum: model.total(source.points) };
  }).sort((a, b) => decimal.isNegative(a.sum) - decimal.isNegative(b.sum) || a.index - b.index);

  const net = model.total(whole);
  const amounts = sources.map((source) => source.sum);
  const deductions = decimal.sum(amounts.filter((sum) => decimal.isNegative(sum)));
  showMass(byId("sum-net"), net);
  showMass(byId("sum-gross"), decimal.sum(amounts.filter((sum) => !decimal.isNegative(sum))));
  showMass(byId("sum-deductions"), deductions);
  for (const part of panel.querySelectorAll('[data-with="deductions"]')) part.hidden = deductions === null;
  byId("net-key").hidden = deductions === null;
  setText(byId("sum-coverage"), percent(model.coverage(whole, now)));

  showTable(answer, sources, choose);
  if (!sources.length) showProblem(panel, "empty", t(answer.boundary === "ets" ? "emissions.ets" : "emissions.empty"));
  else if (net === null) {
    showProblem(panel, "empty", t("emissions.empty"));
    if (goTo !== null && (goTo.at < from || goTo.at >= to)) {
      panel.querySelector(":scope > .message").append(" ", h("button", { type: "button", onclick: goTo.go },
        t("emissions.go", { period: periodName(view, goTo.at) })));
    }
  } else setState(panel, "ready");

  const chart = byId("emissions-chart");
  if (chart.hidden) return sources;
  const largest = Math.max(0, ...whole.map((point) => Math.abs(decimal.number(point.amount) ?? 0)));
  const unit = largest >= 10_000 ? "t" : "kg";
  const sentence = `${t("emissions.heading")}, ${name}: ${t("net")} ${mass(net).exact}. ${t("emissions.hint")}`;
  setAttribute(chart, "aria-label", sentence);
  await drawEmissions(chart, {
    sources, whole, now, unit, range: [from, to], ticks: viewTicks(view, from, to, chart.clientWidth < 520),
    axis: `${unit} CO₂e ${t(`per.${granularity}`)}`, choose: (source, at) => choose(source, whole.find((point) => point.from === at)),
  });
  return sources;
}

/** The same figures as a table, every digit of them; each opens where it comes from. */
function showTable({ whole, granularity, from }, sources, choose) {
  const place = byId("emissions-table");
  if (place.hidden) return;
  const cells = (points) => points.map((point) => [point.state, decimal.text(point.amount), point.quality]);
  fill(place, [t("period"), granularity, from, sources.map(({ id, points }) => [id, cells(points)]), cells(whole)], () => {
    const at = sources.map((source) => new Map(source.points.map((point) => [point.from, point])));
    return h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("period")),
        sources.map((source) => h("th", { scope: "col", class: "figure" }, source.label)),
        h("th", { scope: "col", class: "figure" }, t("total")), h("th", { scope: "col" }, t("quality")))),
      h("tbody", {}, whole.filter((point) => point.state !== "blank").map((point) => h("tr", {},
        h("th", { scope: "row" }, point.name),
        sources.map((source, index) => amountCell(at[index].get(point.from), () => choose(source.id, point))),
        amountCell(point, null), h("td", {}, qualityMark(point.quality, point.coverage))))));
  });
}

function amountCell(point, open) {
  if (!point || point.amount === null) return h("td", { class: "figure is-missing" }, t("quality.missing"));
  const text = `${exactText(point.amount)} kg`;
  return h("td", { class: "figure" }, open ? h("button", { type: "button", class: "link", onclick: open }, text) : text);
}

/** Rows of the sources: amount in the period, share, quality, and the factor in force (filled in as it comes). */
export function showSources(sources, factors, choose) {
  const emitted = decimal.number(decimal.sum(sources.map(({ sum }) => (decimal.isNegative(sum) ? null : sum)))) ?? 0;
  keyed(byId("sources"), sources, (source) => source.id, (source) => h("tr", {},
    h("th", { scope: "row" },
      h("button", { type: "button", class: "link", onclick: () => choose(source.id) },
        h("span", { class: "swatch", style: `--swatch: ${sourceColour(source.index)}` }), h("span")),
      h("span", { class: "what muted" })),
    h("td", { class: "figure" }), h("td", { class: "figure" }), h("td"), h("td", { class: "factor" })),
  (row, source) => {
    const [head, amount, share, quality, factor] = row.children;
    setText(head.querySelector(".link span:last-child"), source.label);
    setText(head.querySelector(".what"), source.what);
    showMass(amount, source.sum);
    const part = emitted && source.sum !== null ? decimal.number(source.sum) / emitted : null;
    setText(share, part === null ? "–" : `${(part * 100).toFixed(1).replace("-", "−")} %`);
    const told = model.summary(source.points);
    const known = model.coverage(source.points, Date.now());
    fill(quality, [told.quality, told.flags, percent(known), t("quality")], () => known === null ? "–" :
      [qualityMark(told.quality, known, true), h("span", { class: "chips" }, flagChips(told.flags.filter((flag) => flag !== "late")))]);
    const found = factors.get(source.id);
    if (found) fill(factor, [found, t("factor")], () => factorPieces(found));
  });
}

export async function fetchIntensity(uscc, product, { view, at, boundary }, end, now, signal) {
  const { from, to } = viewRange(view, at, end);
  // an intensity of a quarter-hour says little: products leave a plant in batches
  const granularity = view === "day" ? "hour" : model.GRANULARITY[view];
  const items = await api.list(api.enterprisePath(uscc, "intensity"), { product, boundary, from: stamp(from), to: stamp(to), granularity }, signal);
  // where a part of either is unknown, the two amounts may speak of different times: such a point is drawn hollow
  const either = items.map((item) => ({ ...item, coverage: lesser(item.coverage, item.amount_coverage) }));
  const points = named(model.series(either, { granularity, end: to, now, field: "intensity" }), granularity);
  return { from, to, view, points };
}

function lesser(one, other) {
  return one === null || other === null ? null : Math.min(Number(one), Number(other));
}

export async function showIntensity(answer, product) {
  const panel = byId("intensity");
  const newest = answer.points.findLast((point) => point.amount !== null);
  if (!newest) return showProblem(panel, "empty", t("intensity.empty"));
  setState(panel, "ready");
  const unit = t("intensity.unit", { unit: product.unit });
  const value = byId("intensity-value");
  setText(value, shortText(newest.amount));
  setAttribute(value, "value", decimal.text(newest.amount));
  setAttribute(value, "title", `${exactText(newest.amount)} ${unit}`);
  setText(byId("intensity-unit"), unit);
  setText(byId("intensity-when"), newest.name);
  const chart = byId("intensity-chart");
  setAttribute(chart, "aria-label", `${t("intensity.heading")}: ${shortText(newest.amount)} ${unit}, ${newest.name}`);
  return drawIntensity(chart, {
    points: answer.points, range: [answer.from, answer.to],
    ticks: viewTicks(answer.view, answer.from, answer.to, chart.clientWidth < 520), axis: unit,
  });
}
