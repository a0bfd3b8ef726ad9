// Figures as a person reads them: a unit that suits the size, thousands apart, and the exact text kept beside.

import * as decimal from "./decimal.js";
import { currentLanguage, t } from "./i18n.js";
import { DAY, HOUR, clockText, dateText, local, periodStart } from "./time.js";

/** Digits after the point so that about four figures show. */
function placesFor(value, most = 3) {
  const whole = decimal.text(decimal.round(value, 0)).replace("−", "");
  return whole === "0" ? most : Math.max(0, Math.min(most, 4 - whole.length));
}

const TONNE = { m: 1000n, e: 0 };

function atLeast(value, bound) {
  const size = value.m < 0n ? -value.m : value.m;
  return size >= bound.m * 10n ** BigInt(value.e);
}

/**
 * A mass of CO2e given in kilograms: {value, unit, exact}, in kg below a tonne and in t above.
 * Rounded half to even for the eye; `exact` is every digit of the answer.
 */
export function mass(kg, { unit = null, places = null } = {}) {
  if (kg === null) return { value: "–", unit: "", exact: t("quality.missing") };
  const chosen = unit ?? (atLeast(kg, TONNE) ? "t" : "kg");
  const scaled = chosen === "t" ? decimal.shift(kg, 3) : kg;
  return {
    value: decimal.text(scaled, { places: places ?? placesFor(scaled), group: true }),
    unit: chosen,
    exact: `${exactText(kg)} kg CO₂e`,
  };
}

/** A decimal with every digit it came with. */
export function exactText(value) {
  return decimal.text(value, { group: true });
}

/** A decimal shortened to about four figures. */
export function shortText(value, most = 3) {
  return value === null ? "–" : decimal.text(value, { places: placesFor(value, most), group: true });
}

/** Coverage 0..1 as a percentage that never rounds up to a full 100. */
export function percent(fraction) {
  if (fraction === null || fraction === undefined) return "–";
  const value = Number(fraction) * 100;
  if (value >= 100) return "100 %";
  const cut = value > 99 || value < 1 ? Math.floor(value * 10) / 10 : Math.floor(value);
  return `${cut} %`;
}

export function age(ms) {
  return spell("age", ms, true);
}

export function span(ms) {
  return spell("span", ms, false);
}

function spell(kind, ms, withSeconds) {
  const positive = Math.max(0, ms);
  if (withSeconds && positive < 90_000) return t(`${kind}.seconds`, { n: Math.floor(positive / 1000) });
  if (positive < 90 * 60_000) return t(`${kind}.minutes`, { n: Math.floor(positive / 60_000) });
  if (positive < 2 * DAY) return t(`${kind}.hours`, { n: Math.floor(positive / HOUR) });
  return t(`${kind}.days`, { n: Math.floor(positive / DAY) });
}

function intl(options) {
  const locale = currentLanguage() === "zh" ? "zh-CN" : "en-GB";
  return new Intl.DateTimeFormat(locale, { ...options, timeZone: "UTC" });
}

/** The name of a local day, month or year. */
export function periodName(kind, ms) {
  if (kind === "day") {
    return intl({ year: "numeric", month: "short", day: "numeric", weekday: "short" }).format(local(ms));
  }
  if (kind === "month") return intl({ year: "numeric", month: "long" }).format(local(ms));
  return intl({ year: "numeric" }).format(local(ms));
}

export function monthName(ms) {
  return intl({ month: "short" }).format(local(ms));
}

/** The name of one bar: a quarter-hour or hour, a day, a month. */
export function barName(granularity, from, to) {
  if (granularity === "day") return periodName("day", from);
  if (granularity === "month") return periodName("month", from);
  const end = to === periodStart("day", to) ? "24:00" : clockText(to);
  return `${dateText(from)} ${clockText(from)}–${end}`;
}
