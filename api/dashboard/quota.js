// The compliance year: what is emitted and forecast beside what the enterprise is due and holds.

import * as api from "./api.js";
import * as decimal from "./decimal.js";
import { h, fill, setState, setText } from "./dom.js";
import { exactText, shortText } from "./format.js";
import { currentLanguage, t } from "./i18n.js";
import { byId } from "./pieces.js";

const TONES = { none: "deep", yellow: "yellow", orange: "orange", red: "red" };

export async function fetchQuota(uscc, year, signal) {
  return api.get(api.enterprisePath(uscc, `quota/${year}`), {}, signal);
}

/** Only of who is in the market, or has stated a year. */
export function showQuota(quota, { flags = [] }) {
  const panel = byId("quota");
  panel.hidden = !quota.statement && !flags.includes("ets");
  setState(panel, "ready");
  setText(byId("quota-year"), String(quota.year));
  fill(byId("quota-body"), [quota, currentLanguage()], () => quotaPieces(quota));
}

function tonnes(text) {
  const value = decimal.parse(text);
  return value === null ? "–" : `${shortText(value)} t`;
}

function quotaPieces({ totals, forecast, allowance_t: allowance, holdings_t: holdings, gap_t: gap, warning, lacking, calendar }) {
  const spread = forecast?.emissions_t ?? null;
  const facts = [
    ["quota.emitted", totals.ets_t], ["quota.forecast", spread?.p50, spread && `${tonnes(spread.p10)} – ${tonnes(spread.p90)}`],
    ["quota.allowance", allowance], ["quota.holdings", holdings], ["quota.gap", gap?.p50, gap && `${tonnes(gap.p10)} – ${tonnes(gap.p90)}`],
  ];
  const next = calendar.find((one) => one.days_left >= 0);
  return [
    gaugePieces(totals.ets_t, spread, allowance, holdings),
    h("dl", { class: "sums quota-facts" }, facts.map(([key, value, range]) => h("div", { "data-fact": key },
      h("dt", {}, t(key)),
      h("dd", { title: value ? `${exactText(decimal.parse(value))} t` : null }, tonnes(value ?? null), range ? h("span", { class: "what muted" }, range) : null)))),
    warning ? h("p", { class: "chips" }, h("span", { class: `chip band is-${TONES[warning.band]}` }, t(`band.${warning.band}`))) : null,
    next ? h("p", { class: "muted" }, t("quota.next", { event: t(`due.${next.event}`), day: next.day, n: next.days_left })) : null,
    lacking.length ? h("ul", { class: "muted" }, lacking.map((one) => h("li", { title: one }, lackingText(one)))) : null,
  ].filter(Boolean);
}

function lackingText(said) {
  if (said.startsWith("no day of the year")) return t("lacking.day");
  if (said.startsWith("nothing is stated")) return t("lacking.statement");
  return said;
}

/** A bar of what is emitted and forecast, and a mark where what is due and held ends. */
function gaugePieces(emitted, spread, allowance, holdings) {
  const number = (text) => decimal.number(decimal.parse(text ?? null)) ?? 0;
  const covered = allowance === null ? null : number(allowance) + number(holdings);
  const most = Math.max(number(emitted), number(spread?.p90), covered ?? 0);
  if (most <= 0) return null;
  const part = (value) => `${(Math.min(1, Math.max(0, value / most)) * 100).toFixed(2)}%`;
  return h("div", { class: "gauge", "aria-hidden": "true" },
    h("i", { class: "range", style: `width: ${part(number(spread?.p90))}` }), h("i", { class: "middle", style: `width: ${part(number(spread?.p50))}` }),
    h("i", { class: "emitted", style: `width: ${part(number(emitted))}` }),
    covered === null ? null : h("b", { style: `left: ${part(covered)}` }));
}
