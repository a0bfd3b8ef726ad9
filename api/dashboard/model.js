// From items of the public JSON to what is drawn: periods in order, what is known of each, and what is not.

import * as decimal from "./decimal.js";
import { QUARTER, moment, periodEnd } from "./time.js";

export const QUALITIES = ["missing", "estimated", "interpolated", "measured"]; // worst to best
export const GRANULARITY = { day: "15m", month: "day", year: "month" }; // of the bars of a view

/** One amount: {amount, quality, flags, coverage}; amount null means missing, never nought. */
function cell(item, field) {
  return {
    amount: decimal.parse(item[field]),
    quality: item.quality ?? "missing",
    flags: item.flags ?? [],
    coverage: item.coverage === null || item.coverage === undefined ? null : Number(item.coverage),
  };
}

// A register's quarter-hour is known once a reading after it has come: until then it isn't missing, it is on its way.
const ON_ITS_WAY = 2 * QUARTER;

/**
 * What is to be said of a period: `blank` nothing is expected of it (it lies ahead, or before the first meter),
 * `missing` nothing is known of it though it should be, `partial` some is, `known` all of it.
 */
function stateOf({ amount, coverage }, to, now) {
  if (amount !== null) return coverage !== null && coverage < 1 ? "partial" : "known";
  return coverage === null || to > now - ON_ITS_WAY ? "blank" : "missing";
}

/** Items of one series, in order of time: [{from, to, state, amount, quality, flags, coverage}]. */
export function series(items, { granularity, end, now, field = "co2e_kg" }) {
  return items.map((item) => {
    const from = moment(item.at);
    const to = Math.min(periodEnd(granularity, from), end);
    const content = cell(item, field);
    return { from, to, ...content, state: stateOf(content, to, now) };
  });
}

/** Items of several series by what tells them apart: Map of name → series. */
export function seriesBy(items, key, options) {
  const apart = new Map();
  for (const item of items) {
    const name = String(item[key]);
    if (!apart.has(name)) apart.set(name, []);
    apart.get(name).push(item);
  }
  return new Map([...apart].map(([name, own]) => [name, series(own, options)]));
}

export function total(points) {
  return decimal.sum(points.map((point) => point.amount));
}

/** The end of the newest period with a known amount; null where there is none. */
export function knownUntil(points) {
  for (let index = points.length - 1; index >= 0; index -= 1) {
    if (points[index].amount !== null) return points[index].to;
  }
  return null;
}

/** Known share of what was expected by now, periods weighed by their length; null where nothing was. */
export function coverage(points, now) {
  let [known, expected] = [0, 0];
  for (const point of points) {
    if (point.coverage === null) continue;
    const length = Math.max(0, Math.min(point.to, now) - point.from);
    expected += length;
    known += length * point.coverage;
  }
  return expected ? known / expected : null;
}

/** The worst quality among the known, and every flag among them. */
export function summary(points) {
  const known = points.filter((point) => point.amount !== null);
  const ranks = known.map((point) => QUALITIES.indexOf(point.quality)).filter((rank) => rank >= 0);
  const counts = Object.fromEntries(QUALITIES.map((quality) => [quality, 0]));
  for (const point of points) if (point.state !== "blank") counts[point.amount === null ? "missing" : point.quality] += 1;
  return {
    quality: ranks.length ? QUALITIES[Math.min(...ranks)] : "missing",
    flags: [...new Set(points.flatMap((point) => point.flags))],
    counts,
  };
}
