// The years of an enterprise: those that came as rows of a file, each with its provenance, beside what its meters know.

import * as api from "./api.js";
import * as decimal from "./decimal.js";
import { h, fill, keyed, setAttribute, setState, setText } from "./dom.js";
import { t } from "./i18n.js";
import { byId, qualityMark, showMass } from "./pieces.js";
import { local, moment, momentText, periodStart, stamp } from "./time.js";

/** Years, the first one first; none where no file told of any: then the page is of the meters alone. */
export async function fetchYears(uscc, boundary, end, signal) {
  const told = await api.list(api.enterprisePath(uscc, "history"), {}, signal);
  if (!told.length) return { years: [] };
  const current = local(end - 1).getUTCFullYear();
  const first = Math.min(current, ...told.map((one) => one.year));
  const range = { from: stamp(periodStart("year", end - 1, first - current)), to: stamp(periodStart("year", end - 1, 1)) };
  const metered = await api.list(api.enterprisePath(uscc, "emissions"), { ...range, granularity: "year", by: "total", boundary }, signal);
  const byYear = new Map(told.map((one) => [one.year, { year: one.year, told: one, metered: null }]));
  for (const item of metered.filter((one) => one.co2e_kg !== null)) {
    const year = local(moment(item.at)).getUTCFullYear();
    byYear.set(year, { year, told: null, ...byYear.get(year), metered: item });
  }
  return { boundary, years: [...byYear.values()].sort((one, other) => one.year - other.year) };
}

export function showYears({ boundary, years }) {
  byId("years").hidden = !years.length;
  setState(byId("years"), "ready");
  const tonnes = (told) => (told ? decimal.shift(decimal.parse(told[boundary === "ets" ? "ets_tco2e" : "account_tco2e"]), -3) : null);
  const amounts = years.map((one) => ({ ...one, file: tonnes(one.told), meters: decimal.parse(one.metered?.co2e_kg ?? null) }));
  const largest = Math.max(0, ...amounts.flatMap(({ file, meters }) => [decimal.number(file) ?? 0, decimal.number(meters) ?? 0]));
  keyed(byId("years-rows"), amounts, (one) => one.year, () => h("tr", {},
    h("th", { scope: "row" }), h("td", { class: "bars", "aria-hidden": "true" }, h("i", { class: "file" }), h("i", { class: "meters" })),
    h("td", { class: "figure file" }), h("td", { class: "provenance" }), h("td", { class: "figure meters" }), h("td", { class: "known" })),
  (row, { year, told, metered, file, meters }) => {
    const [head, bars, sent, provenance, measured, known] = row.children;
    setAttribute(row, "data-year", year);
    setText(head, String(year));
    for (const [bar, amount] of [[bars.firstChild, file], [bars.lastChild, meters]]) {
      const part = largest ? Math.max(0, decimal.number(amount) ?? 0) / largest : 0;
      setAttribute(bar, "style", `width: ${(part * 100).toFixed(2)}%`);
    }
    showMass(sent, file);
    showMass(measured, meters);
    fill(provenance, [told, t("years.provenance")], () => (told ? provenancePieces(told) : "–"));
    fill(known, [metered?.quality, metered?.coverage, t("quality")], () => (metered ? qualityMark(metered.quality, Number(metered.coverage), true) : "–"));
  });
}

/** The weakest of the year's rows, and which version it is where there were several. */
function provenancePieces(told) {
  const title = [momentText(moment(told.at)), told.by, told.file, told.why].filter(Boolean).join(" · ");
  const version = told.number > 1 ? h("span", { class: "what muted" }, ` ${t("years.version", { n: told.number })}`) : null;
  return [h("span", { class: `chip provenance is-${told.provenance}`, title }, t(`provenance.${told.provenance}`)), version].filter(Boolean);
}
