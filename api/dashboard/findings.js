// What the checks between channels found of an enterprise: the open and explained ones, and what was settled of late.

import * as api from "./api.js";
import * as decimal from "./decimal.js";
import { h, fill, keyed, setAttribute, setState, setText } from "./dom.js";
import { nameOf, t } from "./i18n.js";
import { byId, problemText, showMass, showProblem } from "./pieces.js";
import { DAY, moment, momentText, stamp } from "./time.js";

const SETTLED_FOR = 31 * DAY; // settled ones are shown whose period reaches into this
const SHOWN_MAX = 100;

/** Findings, the newest first; those that still want a person before the settled ones. */
export async function fetchFindings(uscc, end, signal) {
  const of = (state, more = {}) => api.list("/v1/findings", { uscc, state, ...more }, signal);
  const [open, explained, settled] = await Promise.all([
    of("open"), of("explained"), of("settled", { from: stamp(end - SETTLED_FOR) })]);
  const newestFirst = (one, other) => moment(other.to) - moment(one.to) || other.id - one.id;
  return { open: open.length, explained: explained.length, items: [[...open, ...explained], settled].flatMap((part) => part.sort(newestFirst)) };
}

export function showFindings(found) {
  const panel = byId("findings");
  setText(byId("findings-summary"), found.items.length ? t("findings.summary", found) : "");
  if (!found.items.length) return showProblem(panel, "empty", t("findings.empty"));
  setState(panel, "ready");
  const items = found.items.slice(0, SHOWN_MAX);
  setText(byId("findings-more"), found.items.length > items.length ? t("findings.more", { n: found.items.length - items.length }) : "");
  keyed(byId("findings-rows"), items, (item) => item.id, newRow, showRow);
  return undefined;
}

function newRow() {
  return h("tr", {},
    h("th", { scope: "row" }, h("span", { class: "name" }), h("span", { class: "what muted code" }),
      h("details", {}, h("summary", {}), h("div", { class: "evidence" }))),
    h("td", { class: "severity" }), h("td", { class: "period" }), h("td", { class: "figure doubt" }), h("td", { class: "state-of" }));
}

function showRow(row, item) {
  const [head, severity, period, doubt, state] = row.children;
  const [name, subject, details] = head.children;
  setAttribute(row, "data-finding", item.id);
  setAttribute(row, "data-state", item.state);
  setText(name, nameOf(item));
  setText(subject, item.channels.length > 1 || !item.channels.includes(item.subject)
    ? `${item.subject}: ${item.channels.join(", ")}` : item.subject);
  setText(details.firstChild, t("findings.evidence"));
  details.ontoggle = () => { if (details.open) showEvidence(details.lastChild, item); };
  if (details.open) showEvidence(details.lastChild, item);
  fill(severity, [item.severity, t("findings.severity")], () =>
    h("span", { class: `chip severity is-${item.severity}` }, t(`severity.${item.severity}`)));
  setText(period, `${momentText(moment(item.from))} – ${momentText(moment(item.to))}`);
  showMass(doubt, decimal.parse(item.in_doubt_co2e_kg));
  fill(state, [item.state, item.explanation, item.changed_by, item.why, t("findings.state")], () => [
    h("span", { class: "word" }, t(`finding.${item.state}`)),
    h("span", { class: "what muted" }, item.state === "explained" && item.explanation
      ? `${item.explanation.by}: ${item.explanation.text}` : item.state === "settled" ? `${item.changed_by}: ${item.why}` : "")]);
}

/** Asked for when it is opened, and again when the finding has changed. */
async function showEvidence(place, item) {
  const signature = JSON.stringify([item.id, item.changed_at, item.to, item.in_doubt_co2e_kg, t("findings.evidence")]);
  if (place.shows === signature) return;
  place.shows = signature;
  try {
    const whole = await api.get(`/v1/findings/${item.id}`);
    fill(place, whole, () => [
      h("ul", {}, whole.evidence.map((day) => h("li", {}, evidenceText(day)))),
      h("ul", {}, whole.history.map((one) => h("li", {}, `${momentText(moment(one.at))} · ${t(`finding.${one.state}`)} · ${one.by}: ${one.why}`)))]);
  } catch (problem) {
    place.shows = undefined;
    fill(place, problem.message, () => problemText(problem));
  }
}

function evidenceText({ from, to, ...figures }) {
  const said = Object.entries(figures).filter(([, value]) => value !== null)
    .map(([name, value]) => `${name} ${Array.isArray(value) ? value.join(", ") : value}`);
  return `${momentText(moment(from))} – ${momentText(moment(to))}: ${said.join(" · ")}`;
}
