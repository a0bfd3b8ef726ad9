// The drawer that explains a figure: readings → intervals → factor → sum, as the server derives it.

import * as api from "./api.js";
import * as decimal from "./decimal.js";
import { h, setState, setText } from "./dom.js";
import { barName, exactText, mass } from "./format.js";
import { t } from "./i18n.js";
import { byId, factorPieces, flagChips, methodText, problemText, qualityMark } from "./pieces.js";
import { moment, momentText, stamp } from "./time.js";

const PAGE = 96; // intervals at a time: a day of them

let asking = null;

export function prepareDrawer() {
  const drawer = byId("derivation");
  byId("derivation-close").addEventListener("click", () => drawer.close());
  drawer.addEventListener("close", () => asking?.abort());
  // a click beside the drawer lands on the dialog itself: its backdrop
  drawer.addEventListener("click", (event) => { if (event.target === drawer) drawer.close(); });
}

export async function fetchDerivation(uscc, { source, boundary, from, to }, signal, page = {}) {
  return api.get(api.enterprisePath(uscc, "derivation"), { source, boundary, from: stamp(from), to: stamp(to), ...page }, signal);
}

/**
 * Opens the drawer on one source over one bar: `what` is {source, boundary, from, to, granularity}.
 * `zoom`: {label, go} to open the period itself, where it has parts.
 */
export async function openDerivation(uscc, what, zoom = null) {
  const drawer = byId("derivation");
  const body = byId("derivation-body");
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  setText(byId("derivation-heading"), `${what.source} · ${barName(what.granularity, what.from, what.to)}`);
  body.replaceChildren();
  drawer.querySelector(":scope > .message").replaceChildren();
  setState(body, "loading");
  if (!drawer.open) drawer.showModal();
  const ask = async (page, draw) => {
    try {
      draw(await fetchDerivation(uscc, what, signal, { limit: PAGE, ...page }));
      setState(body, "ready");
    } catch (problem) {
      if (problem.name === "AbortError") return;
      setState(body, "error");
      drawer.querySelector(":scope > .message").replaceChildren(...problemText(problem));
    }
  };
  await ask({}, (answer) => {
    const closing = zoom && { ...zoom, go: () => { drawer.close(); zoom.go(); } };
    body.replaceChildren(...pieces(answer, closing, (cursor, draw) => ask({ cursor }, draw)));
  });
}

/** The sections of an answer; `more(cursor, draw)` asks for the page that follows it. */
function pieces(answer, zoom, more) {
  const tables = new Map(answer.channels.map((channel) => [channel.channel, readingTable()]));
  const intervals = intervalTable();
  const next = h("button", { type: "button" }, t("derivation.more"));
  const add = (page) => {
    intervals.add(page.intervals);
    for (const channel of page.channels) tables.get(channel.channel)?.add(channel.readings);
    next.hidden = !page.next;
    next.onclick = () => more(page.next, add);
  };
  add(answer);
  return [
    section(4, t("derivation.step.sum"), sumPieces(answer, zoom)),
    section(3, t("derivation.step.factor"), factorSection(answer)),
    section(2, t("derivation.step.intervals"), [intervals.element, next]),
    section(1, t("derivation.step.readings"), answer.channels.flatMap((channel) => channelPieces(channel, tables.get(channel.channel)))),
    h("section", {}, h("details", {}, h("summary", {}, t("derivation.json")), h("pre", { class: "equation" }, JSON.stringify(answer, null, 1)))),
  ];
}

function section(number, title, content) {
  return h("section", {}, h("h3", {}, h("span", { class: "step", "aria-hidden": "true" }, String(number)), title), content);
}

function sumPieces(answer, zoom) {
  const { value, unit, exact } = mass(decimal.parse(answer.co2e_kg));
  return [
    h("p", { class: "answer" }, h("data", { value: answer.co2e_kg ?? "" }, value), " ", h("span", { class: "unit" }, unit ? `${unit} CO₂e` : "")),
    answer.co2e_kg === null ? h("p", {}, t("derivation.nothing")) : h("p", { class: "equation" }, exact),
    ...wantedPieces(answer.missing_factors),
    h("p", { class: "chips" }, qualityMark(answer.quality, null, true), flagChips(answer.flags)),
    h("p", { class: "muted" }, t("derivation.sum", { count: answer.intervals_known })),
    zoom ? h("button", { type: "button", onclick: zoom.go }, zoom.label) : null,
  ];
}

/** What emissions are missing for want of: the figure, since when, why, and what to do. */
function wantedPieces(wanted) {
  return wanted.map((one) => {
    const what = [one.name, one.fuel ?? one.material ?? one.area, one.year, one.unit].filter(Boolean).join(" · ");
    return h("div", { class: "wanted", role: "note" },
      h("p", {}, h("strong", {}, t("derivation.wanted")), what ? ` ${what}` : "", h("span", { class: "muted" }, ` ${one.from} – ${one.to}`)),
      h("p", {}, one.why), h("p", {}, one.do));
  });
}

function pairs(entries) {
  return h("dl", { class: "pairs" }, entries.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

/** The formula, its figures, and what one unit of consumption comes to. */
function factorSection(answer) {
  return [
    answer.formula ? h("p", { class: "equation" }, answer.formula) : null,
    ...answer.used_factors.flatMap((used) => [
      ...factorPieces(used.factors ?? []),
      h("p", { class: "equation" }, `1 ${used.unit ?? ""} → ${exactRatio(used.mg_per_unit)} mg CO₂e${used.gas && used.gas !== "CO2" ? ` (${used.gas})` : ""}`),
    ]),
    pairs([
      [t("derivation.method"), methodText(answer.method)], [t("derivation.expression"), answer.expression],
      [t("derivation.clause"), answer.clause], [t("derivation.edition"), answer.edition],
      [t("derivation.rules"), answer.rules_version], [t("derivation.set"), answer.factor_set],
    ]),
  ];
}

/** An exact value that may be a ratio of two whole numbers: "497600" or "11/3". */
function exactRatio(text) {
  return text.split("/").map((part) => exactText(decimal.parse(part))).join(" / ");
}

/** A table that grows by rows: {element, add(rows)}. */
function growing(heads, draw) {
  const body = h("tbody");
  const head = h("thead", {}, h("tr", {}, heads.map(([text, kind]) => h("th", { scope: "col", class: kind }, text))));
  return { element: h("div", { class: "scroll", tabindex: "0" }, h("table", {}, head, body)), add: (rows) => body.append(...rows.map(draw)) };
}

function intervalTable() {
  return growing(
    [[t("time")], [t("derivation.consumption"), "figure"], [t("derivation.emission"), "figure"], [t("quality")]],
    (one) => h("tr", {}, h("th", { scope: "row" }, momentText(moment(one.at))),
      h("td", { class: one.amount === null ? "figure is-missing" : "figure" },
        one.amount === null ? t("quality.missing") : `${exactText(decimal.parse(one.amount))} ${one.unit ?? ""}`),
      h("td", { class: "figure" }, one.co2e_kg === null ? "–" : `${exactText(decimal.parse(one.co2e_kg))} kg`),
      h("td", {}, qualityMark(one.quality, null, true), h("span", { class: "chips" }, flagChips(one.flags), restated(one)))));
}

/** That an entry took the place of another, what that said, and why. */
function restated({ supersedes, cause }) {
  if (!supersedes) return null;
  const before = supersedes.co2e_kg === null ? t("quality.missing") : `${exactText(decimal.parse(supersedes.co2e_kg))} kg`;
  const why = [cause?.kind, cause?.by, cause?.why].filter(Boolean).join(" · ");
  return h("span", { class: "chip", title: t("derivation.before", { before, why }) }, t("derivation.restated"));
}

function readingTable() {
  return growing([[t("time")], [t("reading"), "figure"], [t("derivation.committed")], [t("flags")]], (one) => h("tr", { class: one.stands ? null : "is-set-aside" },
    h("th", { scope: "row" }, momentText(moment(one.at))),
    h("td", { class: "figure", title: t("derivation.sent", { value: one.sent }) }, one.value ?? one.sent),
    h("td", {}, momentText(Math.floor(moment(one.committed_at) / 1000) * 1000)),
    h("td", {}, one.quality === "good" ? null : t(`sent.${one.quality}`), flagChips(one.flags), one.stands ? null : h("span", { class: "chip" }, t("derivation.aside")))));
}

function channelPieces(channel, table) {
  const title = [`${channel.sign < 0 ? "− " : ""}${channel.channel}`, channel.meter, channel.input && `${channel.input.of}: ${channel.input.as}`];
  if (channel.derived) {
    const inputs = Object.entries(channel.derived.inputs).map(([name, from]) => `${name} = ${from}`).join(", ");
    return [h("h4", {}, title.filter(Boolean).join(" · ")), h("p", { class: "equation" }, `${channel.derived.function}(${inputs})`)];
  }
  const scaled = channel.versions.filter((version) => version.multiplier !== "1");
  return [
    h("h4", {}, title.filter(Boolean).join(" · ")),
    scaled.length ? h("p", { class: "muted" }, scaled.map((version) => `× ${version.multiplier}`).join(", ")) : null,
    table.element,
  ];
}
