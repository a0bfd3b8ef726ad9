// The city: its emission rate by the newest quarter-hours, and the enterprises in it.

import * as api from "./api.js";
import { drawRate, sparkline } from "./charts.js";
import * as decimal from "./decimal.js";
import { h, fill, keyed, setAttribute, setState, setText } from "./dom.js";
import { mass, percent, shortText } from "./format.js";
import { has, nameOf, t } from "./i18n.js";
import * as model from "./model.js";
import { byId, qualityMark, showMass, showProblem } from "./pieces.js";
import { dayTicks, named } from "./periods.js";
import { DAY, QUARTER, clockText, floorQuarter, momentText, periodStart, stamp } from "./time.js";

/** District codes of the cities that have an enterprise: the prefecture of each, most enterprises first. */
export function citiesOf(enterprises) {
  const counts = new Map();
  for (const { district } of enterprises) {
    if (!/^\d{6}$/.test(district ?? "")) continue;
    const city = `${district.slice(0, 4)}00`;
    counts.set(city, (counts.get(city) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])).map(([code]) => code);
}

export function districtName(code) {
  return has(`district.${code}`) ? t(`district.${code}`) : t("city.district", { code });
}

async function items(code, from, to, granularity, by, signal) {
  return api.list(api.districtPath(code), { from: stamp(from), to: stamp(to), granularity, by }, signal);
}

/** The end of the newest period of a granularity in which anything is known; null where nothing is. */
async function newestIn(code, granularity, from, to, now, signal) {
  if (from >= to) return null;
  const answer = await items(code, from, to, granularity, "total", signal);
  return model.knownUntil(model.series(answer, { granularity, end: to, now }));
}

/**
 * The moment up to which anything is known, where the last day knows nothing: while an older year is being sent it
 * lies in the past, found by looking at months, then days, then quarter-hours. Null: nothing is known.
 */
async function newestBefore(code, now, signal) {
  const until = floorQuarter(now);
  const month = await newestIn(code, "month", periodStart("month", now, -12), until, now, signal);
  if (month === null) return null;
  const day = await newestIn(code, "day", periodStart("month", month - 1), Math.min(month, until), now, signal) ?? month;
  return await newestIn(code, "15m", periodStart("day", day - 1), Math.min(day, until), now, signal) ?? day;
}

/** A day of the city up to a moment: in all, and by scope. */
async function dayUpTo(code, end, now, signal) {
  const options = { granularity: "15m", end, now };
  const [whole, apart] = await Promise.all(["total", "scope"].map((by) => items(code, end - DAY, end, "15m", by, signal)));
  return { end, now, whole: named(model.series(whole, options), "15m"), scopes: model.seriesBy(apart, "scope", options) };
}

/**
 * The city's day: {until, end, now, whole, scopes}, up to now, so that what is late shows as such; or, where all that
 * is known is older than that, up to `until`, which every "latest" on the page then refers to.
 */
export async function fetchCity(code, now, signal) {
  const day = await dayUpTo(code, floorQuarter(now), now, signal);
  const until = model.knownUntil(day.whole);
  if (until !== null) return { ...day, until };
  const earlier = await newestBefore(code, now, signal);
  return earlier === null ? { until: null, now } : { ...await dayUpTo(code, earlier, now, signal), until: earlier };
}

/**
 * The quarter-hour to call "now": of the last hour of which anything is known, the one that most is known of, the newest
 * of equals. The very newest lacks whatever comes hourly, and what is weighed once a day is never in it.
 */
export function currentQuarter(whole, until) {
  const recent = whole.filter((point) => point.amount !== null && point.to > until - 4 * QUARTER);
  return recent.reduce((best, point) => (best === null || (point.coverage ?? 1) >= (best.coverage ?? 1) ? point : best), null);
}

/** An amount of a quarter-hour as tonnes or kilograms an hour. */
function rateOf(amount) {
  return mass(decimal.times(amount, 4));
}

export async function showCity(code, city) {
  const panel = byId("city");
  setText(byId("district-name"), byId("district").hidden ? districtName(code) : "");
  if (city.until === null) {
    showProblem(panel, "empty", t("city.empty"));
    return;
  }
  setState(panel, "ready");
  const { whole, scopes, until, end } = city;
  const current = currentQuarter(whole, until);
  const rate = rateOf(current.amount);
  const value = byId("rate-value");
  setText(value, rate.value);
  setAttribute(value, "value", decimal.text(decimal.times(current.amount, 4)));
  setAttribute(value, "title", `${rate.exact}/h`);
  setText(byId("rate-unit"), `${rate.unit} CO₂e/h`);
  const when = t("city.quarter", { from: momentText(current.from), to: clockText(current.to) });
  const part = current.state === "partial" ? ` · ${t("city.partial", { coverage: percent(current.coverage) })}` : "";
  setText(byId("rate-when"), when + part);

  const hour = whole.filter((point) => point.to > current.to - 4 * QUARTER && point.to <= current.to);
  showMass(byId("rate-hour"), model.total(hour));
  showMass(byId("rate-day"), model.total(whole));
  for (const scope of ["1", "2"]) showMass(byId(`rate-scope-${scope}`), model.total(scopes.get(scope) ?? []));
  setText(byId("rate-coverage"), percent(model.coverage(whole, city.now)));
  setText(byId("rate-until"), periodStart("day", until) === periodStart("day", city.now) ? clockText(until) : momentText(until));

  const chart = byId("city-chart");
  const largest = whole.reduce((most, point) => Math.max(most, Math.abs(decimal.number(point.amount) ?? 0)), 0);
  const unit = largest * 4 >= 10_000 ? "t" : "kg";
  setAttribute(chart, "aria-label", t("city.chart"));
  await drawRate(chart, {
    apart: [...scopes].map(([scope, points]) => [t("scope", { n: scope }), named(points, "15m")]),
    whole, range: [end - DAY, end], ticks: dayTicks(end - DAY, end, chart.clientWidth < 520), unit,
    rateText: (amount) => `${shortText(decimal.shift(decimal.times(amount, 4), unit === "t" ? 3 : 0))} ${unit} CO₂e/h`,
  });
}

/** The list; `chosen` is the enterprise shown, `choose(uscc)` asks for another, `visible(uscc)` tells which are seen. */
export function showEnterprises(enterprises, { chosen, search, choose, seen }) {
  const panel = byId("list");
  setText(byId("list-count"), enterprises.length ? String(enterprises.length) : "");
  byId("list-search").hidden = enterprises.length < 8;
  if (!enterprises.length) return showProblem(panel, "empty", t("list.empty"));
  const sought = search.trim().toLowerCase();
  const found = enterprises.filter((one) =>
    !sought || [one.uscc, one.name_zh, one.name_en].some((text) => text?.toLowerCase().includes(sought)));
  if (found.length) setState(panel, "ready");
  else showProblem(panel, "empty", t("list.none"));
  keyed(byId("list-items"), found, (one) => one.uscc, (one) => enterpriseRow(one, choose, seen), (row, one) => {
    setText(row.querySelector(".name"), nameOf(one));
    setText(row.querySelector(".kind"), t(`industry.${one.industry}`));
    setAttribute(row.firstChild, "aria-current", one.uscc === chosen ? "true" : null);
  });
  return undefined;
}

function enterpriseRow(one, choose, seen) {
  const row = h("li", { "data-uscc": one.uscc },
    h("button", { type: "button", onclick: () => choose(one.uscc) },
      h("span", { class: "name" }), h("span", { class: "kind muted" }),
      h("span", { class: "spark" }), h("span", { class: "day figure" }, "–"), h("span", { class: "mark-of" })));
  seen.observe(row);
  return row;
}

/** The last day of one enterprise by hours, to the same moment as the city. */
export async function fetchDay(uscc, end, now, signal) {
  const parameters = { from: stamp(end - DAY), to: stamp(end), granularity: "hour", by: "total" };
  const answer = await api.list(api.enterprisePath(uscc, "emissions"), parameters, signal);
  return model.series(answer, { granularity: "hour", end, now });
}

export function showDay(uscc, points, now) {
  const row = byId("list-items").querySelector(`[data-uscc="${CSS.escape(uscc)}"]`);
  if (!row) return;
  const { quality } = model.summary(points);
  const share = model.coverage(points, now);
  const { value, unit } = mass(model.total(points));
  const drawn = points.map((point) => [point.state, point.quality, decimal.text(point.amount)]);
  fill(row.querySelector(".spark"), drawn, () => sparkline(points, `${t("list.day")}: ${value} ${unit}`));
  showMass(row.querySelector(".day"), model.total(points));
  fill(row.querySelector(".mark-of"), [quality, percent(share), t("coverage")], () => qualityMark(quality, share));
}
