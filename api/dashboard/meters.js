// The health of an enterprise's meters: how old the last reading is, and how well the last day is known.

import * as api from "./api.js";
import { strip } from "./charts.js";
import { h, fill, keyed, setAttribute, setState, setText } from "./dom.js";
import * as decimal from "./decimal.js";
import { age, exactText } from "./format.js";
import { t } from "./i18n.js";
import * as model from "./model.js";
import { byId, flagChips, problemText, showProblem } from "./pieces.js";
import { DAY, HOUR, QUARTER, floorQuarter, moment, momentText, stamp } from "./time.js";

const AT_ONCE = 4; // channels asked for at a time, so that the rest of the page needn't wait behind a hundred meters

/** The channels of the meters, as rows: {name, meter, title, unit, quantity, derived, ended}. */
export function channelsOf(meters, now) {
  return meters.flatMap((meter) => (meter.channels ?? []).map((channel) => {
    const last = channel.versions.at(-1); // a derived channel has none
    return {
      name: `${meter.id}/${channel.id}`, title: channel.derived ? t("derived") : meter.name ?? "", unit: last?.unit ?? channel.unit,
      due: last?.period ? durationOf(last.period) + HOUR : Math.max(durationOf(last?.max_gap), HOUR), derived: Boolean(channel.derived), ended: Boolean(last?.valid_to) && moment(last.valid_to) <= now,
    };
  }));
}

/** Asks for each channel's last day, to `end`, and its last reading; tells of each by `each(channel, health)`. */
export async function fetchHealth(uscc, channels, end, now, signal, each) {
  const waiting = [...channels];
  const worker = async () => {
    for (let channel = waiting.shift(); channel; channel = waiting.shift()) {
      try {
        each(channel, await healthOf(uscc, channel, end, now, signal));
      } catch (problem) {
        if (problem.name === "AbortError") return;
        each(channel, { problem });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function healthOf(uscc, channel, end, now, signal) {
  const from = end - DAY;
  const items = await api.list(api.enterprisePath(uscc, "consumption"),
    { channel: channel.name, from: stamp(from), to: stamp(end), granularity: "15m" }, signal);
  const points = model.series(items, { granularity: "15m", end, now, field: "amount" });
  // the last reading lies in or just after the newest known quarter-hour: a short range, however fast the meter
  const until = model.knownUntil(points);
  if (channel.derived) return { points, last: null, ...model.summary(points) };
  const readings = await api.list(api.enterprisePath(uscc, "readings"), {
    channel: channel.name, from: stamp(until === null ? from : until - QUARTER), to: stamp(Math.max(end, floorQuarter(now) + QUARTER)),
  }, signal);
  const last = readings.at(-1) ?? null;
  return { points, last: last && { at: moment(last.at), value: last.value ?? last.sent }, ...model.summary(points) };
}

export function healthState(channel, health, now) {
  if (channel.ended) return "ended";
  if (!health || health.problem) return "unknown";
  if (channel.derived) return "derived";
  // the next reading is due after its period, or before the gap gets too long to say how it was consumed
  const overdue = health.last ? now - health.last.at - channel.due : Infinity;
  if (overdue > DAY) return "silent";
  return overdue > 0 ? "stale" : "healthy";
}

/** Milliseconds of an ISO 8601 duration such as PT15M, PT24H, P1D or P1M (31 days); 0 for none. */
function durationOf(text) {
  const match = /^P(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/.exec(text ?? "");
  if (!match) return 0;
  const [months, days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0));
  return (months * 31 + days) * DAY + hours * HOUR + minutes * 60_000 + seconds * 1000;
}

export function showMeters(channels, healths, now) {
  const panel = byId("meters");
  if (!channels.length) return showProblem(panel, "empty", t("meters.empty"));
  setState(panel, healths.size ? "ready" : "loading");
  const states = channels.map((channel) => healthState(channel, healths.get(channel.name), now));
  const counted = states.filter((state) => state !== "ended" && state !== "derived");
  // what hasn't answered yet is neither well nor ill: no figure stands before all of them have
  const told = channels.filter((channel) => healths.has(channel.name)).length;
  setText(byId("meters-summary"), told < channels.length ? t("meters.asking", { told, all: channels.length })
    : t("meters.summary", { healthy: counted.filter((state) => state === "healthy").length, all: counted.length }));
  keyed(byId("meters-rows"), channels, (channel) => channel.name, () =>
    h("tr", {}, h("th", { scope: "row" }, h("span", { class: "code" }), h("span", { class: "what muted" })), h("td", { class: "last" }), h("td", { class: "day" })),
  (row, channel) => {
    const health = healths.get(channel.name);
    const state = healthState(channel, health, now);
    const [head, last, day] = row.children;
    setAttribute(row, "data-health", state);
    setText(head.children[0], channel.name);
    setText(head.children[1], channel.title);
    setAttribute(row, "aria-busy", health ? null : "true");
    if (!health) return;
    if (health.problem) {
      fill(day, [health.problem.message], () => problemText(health.problem));
      return;
    }
    const known = health.last !== null;
    const words = known ? age(now - health.last.at) : t("meters.never");
    fill(last, [state, words, health.last], () => state === "derived" ? "–" : [
      h("span", { class: `state is-${state}` }, t(`meters.${state}`)), " ", h("span", { class: "age", title: known ? momentText(health.last.at) : null }, words),
      known ? h("span", { class: "what muted figure" }, `${exactText(decimal.parse(health.last.value))} ${channel.unit ?? ""}`) : null]);
    const counts = { ...health.counts, all: health.points.filter((point) => point.state !== "blank").length };
    fill(day, [counts, health.points.map((point) => [point.state, point.quality]), health.flags, t("quality")], () => [
      h("div", { class: "day-of" }, strip(health.points, t("meters.strip", counts)),
        h("span", { class: "chips" }, flagChips(health.flags)))]);
  });
  return undefined;
}
