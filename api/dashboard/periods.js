// The periods that a chart walks over: what each is called, and where its axis is marked.

import { barName, monthName } from "./format.js";
import { DAY, HOUR, clockText, local, periodStart } from "./time.js";

/** The points with their names, as read in hover texts, tables and labels. */
export function named(points, granularity) {
  return points.map((point) => ({ ...point, name: barName(granularity, point.from, point.to) }));
}

/** Marks of the last 24 hours: every third hour, or sixth where it is narrow. */
export function dayTicks(from, to, narrow) {
  const step = (narrow ? 6 : 3) * HOUR;
  const ticks = [];
  for (let day = periodStart("day", from); day < to; day += DAY) {
    for (let at = day; at < day + DAY; at += step) if (at >= from && at <= to) ticks.push([at, clockText(at)]);
  }
  return ticks;
}

/** Marks under the bars of a view: hours of a day; days of a month and months of a year, at their middles. */
export function viewTicks(view, from, to, narrow) {
  if (view === "day") return dayTicks(from, to, narrow);
  const ticks = [];
  const inner = view === "month" ? "day" : "month";
  for (let at = from; at < to; at = periodStart(inner, at, 1)) {
    const middle = (at + periodStart(inner, at, 1)) / 2;
    if (inner === "month") ticks.push([middle, narrow ? String(local(at).getUTCMonth() + 1) : monthName(at)]);
    else {
      const day = local(at).getUTCDate();
      if (day === 1 || day % (narrow ? 5 : 2) === (narrow ? 0 : 1)) ticks.push([middle, String(day)]);
    }
  }
  return ticks;
}
