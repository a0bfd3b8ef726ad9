// Charts, drawn by plotly's bundle as the server's own installed package carries it.
// Missing is never drawn as nought: a period of which nothing is known has no bar but a hatched band, a period
// known in part is marked in the lane of quality beneath the bars, and what lies ahead stays blank.

import * as decimal from "./decimal.js";
import { exactText, percent } from "./format.js";
import { svg } from "./dom.js";
import { t } from "./i18n.js";
import { local } from "./time.js";

let loading = null;

/** The chart library, once it is there. */
export function library() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "/static/plotly.min.js";
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error(t("error.charts")));
    document.head.append(script);
  });
  return loading;
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  return {
    ink: read("--ink"), muted: read("--muted"), line: read("--line"), surface: read("--surface"),
    hatch: read("--hatch"), accent: read("--accent"), font: getComputedStyle(document.body).fontFamily,
    quality: Object.fromEntries(["measured", "interpolated", "estimated", "missing"].map((q) => [q, read(`--${q}`)])),
    scopes: [read("--scope-1"), read("--scope-2")],
    sources: Array.from({ length: 8 }, (_, index) => read(`--source-${index + 1}`)),
  };
}

export function sourceColour(index) {
  return `var(--source-${(index % 8) + 1})`;
}

// Plotly reads a time without an offset as it stands, so it is given the plant's local time.
const wall = (ms) => local(ms).toISOString().slice(0, 19);
const middle = (point) => wall((point.from + point.to) / 2);
const width = (fill) => (point) => (point.to - point.from) * fill;

function layout(palette, height, { left = 52, legend = false } = {}) {
  return {
    height, autosize: true, barmode: "relative", bargap: 0, showlegend: legend,
    margin: { l: left, r: 8, t: 10, b: 26, pad: 0 },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: palette.font, size: 12, color: palette.muted },
    hovermode: "closest", dragmode: false,
    hoverlabel: {
      bgcolor: palette.surface, bordercolor: palette.line, align: "left",
      font: { family: palette.font, size: 12, color: palette.ink },
    },
    uirevision: "kept", shapes: [], annotations: [],
    xaxis: {
      type: "date", fixedrange: true, showgrid: false, zeroline: false, ticks: "outside", ticklen: 4,
      tickcolor: palette.line, linecolor: palette.line, tickangle: 0,
    },
    yaxis: {
      fixedrange: true, gridcolor: palette.line, zeroline: true, zerolinecolor: palette.muted, zerolinewidth: 1,
      exponentformat: "none", separatethousands: true, nticks: 5, rangemode: "tozero", title: { standoff: 6 },
    },
  };
}

/** Draws a chart, unless it stands there already just so: a refresh that brings nothing new costs nothing. */
async function draw(Plotly, element, traces, plan) {
  const key = JSON.stringify([traces, plan, element.clientWidth]);
  if (element.drawnFrom === key) return;
  element.drawnFrom = key;
  await Plotly.react(element, traces, plan, CONFIG);
}

const CONFIG = { displayModeBar: false, responsive: true, doubleClick: false, showTips: false };

/** Hatched bands over the periods of which nothing is known, as high as the plot. */
function missingBands(points, palette, axis) {
  const gaps = points.filter((point) => point.state === "missing");
  return {
    type: "bar", yaxis: axis, x: gaps.map(middle), y: gaps.map(() => 1), width: gaps.map(width(1)),
    hovertext: gaps.map((point) => `${point.name ?? ""}<br>${t("missing.band")}`), hoverinfo: "text",
    marker: hatching(palette), showlegend: false,
  };
}

function hatching(palette) {
  return {
    color: "rgba(0,0,0,0)", line: { width: 0 },
    pattern: { shape: "/", size: 6, solidity: 0.25, fgcolor: palette.hatch, bgcolor: "rgba(0,0,0,0)" },
  };
}

// From how much on a period is drawn as whole. Of a quarter-hour's few sources each counts; over days, and among the
// many sources of a city, some small part is nearly always missing, and the lane tells of it.
const WHOLE = { source: 1, longer: 0.9, city: 0.95 };

/**
 * What is missing of periods that are known in part, hatched from the top of the bar upwards: how high the bar
 * would be nobody knows.
 */
function unknownAbove(points, apart, top, scale, enough, fill, palette) {
  const heights = new Map();
  for (const own of apart) {
    for (const { from, amount } of own) {
      if (amount !== null && !decimal.isNegative(amount)) heights.set(from, (heights.get(from) ?? 0) + decimal.number(amount) * scale);
    }
  }
  const partial = points.filter((point) => point.state === "partial" && point.coverage < enough);
  const base = partial.map((point) => heights.get(point.from) ?? 0);
  return {
    type: "bar", x: partial.map(middle), width: partial.map(width(fill)), base, y: base.map((height) => top - height),
    hovertext: partial.map((point) => `${point.name}<br>${t("missing.part")}: ${t("coverage.of", { coverage: percent(point.coverage) })}`),
    hoverinfo: "text", showlegend: false, marker: { ...hatching(palette), opacity: 0.6 },
  };
}

/** The lowest and the highest that stacked bars reach, with a little room. */
function reach(apart, scale) {
  const [up, down] = [new Map(), new Map()];
  for (const own of apart) {
    for (const { from, amount } of own) {
      const value = (decimal.number(amount) ?? 0) * scale;
      const side = value < 0 ? down : up;
      side.set(from, (side.get(from) ?? 0) + value);
    }
  }
  const highest = Math.max(0, ...up.values());
  const lowest = Math.min(0, ...down.values());
  const room = (highest - lowest || 1) * 0.06;
  return [lowest ? lowest - room : 0, highest + room];
}

/** Under the bars: how much of each period is known (height) and how well (colour); the rest hatched. */
function qualityLane(points, palette, axis) {
  const told = points.filter((point) => point.state !== "blank");
  const known = told.map((point) => (point.amount === null ? 0 : point.coverage ?? 1));
  const text = told.map((point, index) =>
    `${point.name ?? ""}<br>${t(`quality.${point.quality}`)} · ${t("coverage.of", { coverage: percent(known[index]) })}`);
  const common = { type: "bar", yaxis: axis, x: told.map(middle), width: told.map(width(1)), hoverinfo: "text", hovertext: text, showlegend: false };
  return [
    { ...common, y: known, marker: { color: told.map((point) => palette.quality[point.quality]), line: { width: 0 } } },
    {
      ...common, y: known.map((share) => 1 - share),
      marker: {
        color: "rgba(0,0,0,0)", line: { width: 0 },
        pattern: { shape: "/", size: 4, solidity: 0.4, fgcolor: palette.quality.missing, bgcolor: "rgba(0,0,0,0)" },
      },
    },
  ];
}

const overlay = { overlaying: "y", range: [0, 1], fixedrange: true, visible: false };
const laneAxis = { domain: [0, 0.045], range: [0, 1], fixedrange: true, visible: false };

function unitFactor(unit) {
  return unit === "t" ? 1e-3 : 1;
}

/** Stacked emission rate of a district by scope. `apart`: [[name, series]], `whole`: series with names and rates. */
export async function drawRate(element, { apart, whole, range, ticks, unit, rateText }) {
  const Plotly = await library();
  const palette = colours();
  const plan = layout(palette, element.clientHeight || 190);
  const scale = unitFactor(unit) * 4; // a quarter-hour's amount as an hour's
  const traces = apart.map(([name, points], index) => {
    const known = points.filter((point) => point.amount !== null);
    return {
      type: "bar", name, x: known.map(middle), width: known.map(width(1)),
      y: known.map((point) => decimal.number(point.amount) * scale),
      hovertext: known.map((point) => `${point.name}<br><b>${name}</b> ${rateText(point.amount)}`), hoverinfo: "text",
      marker: { color: palette.scopes[index % 2], line: { width: 0 } },
    };
  });
  const own = apart.map(([, points]) => points);
  const [lowest, highest] = reach(own, scale);
  traces.push(unknownAbove(whole, own, highest, scale, WHOLE.city, 1, palette), missingBands(whole, palette, "y3"), ...qualityLane(whole, palette, "y2"));
  Object.assign(plan.xaxis, { range: range.map(wall), tickvals: ticks.map(([at]) => wall(at)), ticktext: ticks.map(([, text]) => text), anchor: "y2" });
  Object.assign(plan.yaxis, { domain: [0.09, 1], range: [lowest, highest], title: { text: `${unit} CO₂e/h`, standoff: 6 } });
  Object.assign(plan, { yaxis2: laneAxis, yaxis3: overlay });
  return draw(Plotly, element, traces, plan);
}

/**
 * Emissions stacked by source, deductions below nought, gaps as gaps.
 * `sources`: [{id, label, colour index, points}], `whole`: the totals of the periods; `choose(source, point)` on a click.
 */
export async function drawEmissions(element, { sources, whole, range, ticks, unit, axis, now, choose }) {
  const Plotly = await library();
  const palette = colours();
  const plan = layout(palette, element.clientHeight || 320);
  const scale = unitFactor(unit);
  const fine = whole.length > 48;
  const [fill, enough] = fine ? [0.92, WHOLE.source] : [0.72, WHOLE.longer];
  const traces = sources.map((source) => {
    const known = source.points.filter((point) => point.amount !== null);
    return {
      type: "bar", name: source.label, x: known.map(middle), width: known.map(width(fill)),
      y: known.map((point) => decimal.number(point.amount) * scale),
      customdata: known.map((point) => [source.id, point.from]),
      hovertext: known.map((point) => hover(source.label, point)), hoverinfo: "text",
      marker: {
        color: palette.sources[source.index % 8], line: { width: 0 },
        // estimated amounts are hatched, like the missing, for they too rest on less than a reading
        // (of single quarter-hours only: a longer period is called estimated for the least part of it)
        pattern: {
          shape: known.map((point) => (fine && point.quality === "estimated" ? "/" : "")), size: 5, solidity: 0.35,
          fgcolor: palette.surface, fillmode: "overlay", fgopacity: 0.9,
        },
      },
    };
  });
  if (sources.some((source) => source.points.some((point) => decimal.isNegative(point.amount)))) {
    traces.push({
      type: "scatter", mode: fine ? "lines" : "markers", name: t("net"), connectgaps: false,
      x: whole.map(middle), // what a part is missing of is no net
      y: whole.map((point) => (point.amount === null || (point.state === "partial" && point.coverage < enough) ? null : decimal.number(point.amount) * scale)),
      line: { color: palette.ink, width: 1.25, shape: "hvh" }, marker: { size: 7, color: palette.ink, symbol: "diamond", line: { color: palette.surface, width: 1 } },
      hovertext: whole.map((point) => hover(t("net"), point)), hoverinfo: "text",
      customdata: whole.map((point) => [null, point.from]),
    });
  }
  const own = sources.map(({ points }) => points);
  const [lowest, highest] = reach(own, scale);
  traces.push(unknownAbove(whole, own, highest, scale, enough, fill, palette), missingBands(whole, palette, "y3"), ...qualityLane(whole, palette, "y2"));
  Object.assign(plan.xaxis, { range: range.map(wall), tickvals: ticks.map(([at]) => wall(at)), ticktext: ticks.map(([, text]) => text), anchor: "y2" });
  Object.assign(plan.yaxis, { domain: [0.08, 1], range: [lowest, highest], title: { text: axis, standoff: 6 } });
  Object.assign(plan, { yaxis2: laneAxis, yaxis3: overlay });
  plan.yaxis.showticklabels = whole.some((point) => point.amount !== null);
  if (now > range[0] && now < range[1]) {
    plan.shapes.push({ type: "line", x0: wall(now), x1: wall(now), yref: "paper", y0: 0, y1: 1, line: { color: palette.accent, width: 1, dash: "dot" } });
  }
  await draw(Plotly, element, traces, plan);
  element.removeAllListeners?.("plotly_click");
  element.on("plotly_click", (event) => {
    const [source, from] = event.points[0]?.customdata ?? [];
    if (source) choose(source, from);
  });
}

function hover(label, point) {
  const lines = [`<b>${label}</b>`, point.name, `${exactText(point.amount)} kg CO₂e`, t(`quality.${point.quality}`)];
  if (point.state === "partial") lines.push(t("coverage.of", { coverage: percent(point.coverage) }));
  if (point.flags.length) lines.push(point.flags.map((flag) => t(`flag.${flag}`)).join(" · "));
  return lines.join("<br>");
}

/** Intensity over the periods: a line that breaks where nothing is known. */
export async function drawIntensity(element, { points, range, ticks, axis }) {
  const Plotly = await library();
  const palette = colours();
  const plan = layout(palette, element.clientHeight || 180);
  const trace = {
    type: "scatter", mode: "lines+markers", connectgaps: false, x: points.map(middle),
    y: points.map((point) => decimal.number(point.amount)),
    line: { color: palette.accent, width: 2 },
    marker: { size: points.length > 48 ? 3 : 6, color: palette.accent, symbol: points.map((point) => (point.state === "partial" ? "circle-open" : "circle")) },
    hovertext: points.map((point) => (point.amount === null ? "" : `${point.name}<br>${exactText(point.amount)} ${axis}`)), hoverinfo: "text",
  };
  Object.assign(plan.xaxis, { range: range.map(wall), tickvals: ticks.map(([at]) => wall(at)), ticktext: ticks.map(([, text]) => text) });
  Object.assign(plan.yaxis, { title: { text: axis, standoff: 6 } });
  plan.yaxis3 = overlay;
  return draw(Plotly, element, [trace, missingBands(points, palette, "y3")], plan);
}

/** A row of bars the size of a line of text; hatched where nothing is known. */
export function sparkline(points, label) {
  const size = 24;
  // as rates, so that hours cut off at either end don't look like a fall
  const values = points.map((point) => (decimal.number(point.amount) ?? 0) / (point.to - point.from));
  const top = Math.max(...values, 0);
  const bottom = Math.min(...values, 0);
  const scale = top > bottom ? size / (top - bottom) : 0;
  const picture = svg("svg", { class: "sparkline", viewBox: `0 0 ${points.length * 4} ${size}`, preserveAspectRatio: "none", role: "img", "aria-label": label });
  points.forEach((point, index) => {
    if (point.state === "blank") return;
    if (point.amount === null) {
      picture.append(svg("rect", { x: index * 4, y: 0, width: 4, height: size, class: "gap" }));
      return;
    }
    const value = values[index];
    const y = (top - Math.max(value, 0)) * scale;
    const height = Math.max(Math.abs(value) * scale, 0.75);
    picture.append(svg("rect", { x: index * 4 + 0.4, y, width: 3.2, height, class: `bar is-${point.state}${point.quality === "estimated" ? " weak" : ""}` }));
  });
  return picture;
}

/** How well each quarter-hour is known, in the colours used everywhere; runs of one quality are one piece. */
export function strip(points, label) {
  const picture = svg("svg", { class: "strip", viewBox: `0 0 ${points.length} 1`, preserveAspectRatio: "none", role: "img", "aria-label": label });
  const kinds = points.map((point) => (point.state === "blank" ? null : point.amount === null ? "missing" : point.quality));
  for (let first = 0, end = 1; first < kinds.length; first = end, end += 1) {
    while (end < kinds.length && kinds[end] === kinds[first]) end += 1;
    if (kinds[first]) picture.append(svg("rect", { x: first, y: 0, width: end - first, height: 1, class: `is-${kinds[first]}` }));
  }
  return picture;
}
