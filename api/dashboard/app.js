// The page as a whole: who may see it, what is chosen, and when it asks again.

import * as api from "./api.js";
import { citiesOf, districtName, fetchCity, fetchDay, showCity, showDay, showEnterprises } from "./city.js";
import { openDerivation, fetchDerivation, prepareDrawer } from "./derivation.js";
import { forget, h, fill, setAttribute, setText } from "./dom.js";
import {
  fetchEmissions, fetchIntensity, fetchWindows, showEmissions, showIdentity, showIntensity, showSources, showWindows,
} from "./enterprise.js";
import { fetchFindings, showFindings } from "./findings.js";
import { span } from "./format.js";
import { fetchGrades, showGrades } from "./grades.js";
import { chooseLanguage, currentLanguage, t } from "./i18n.js";
import { channelsOf, fetchHealth, showMeters } from "./meters.js";
import { QUALITIES } from "./model.js";
import { byId, choices, problemText, qualityMark, showProblem } from "./pieces.js";
import { fetchQuota, showQuota } from "./quota.js";
import { closeReads, prepareReads } from "./reads.js";
import { showReports } from "./reports.js";
import { VIEWS, chosen, known, readAddress, writeAddress } from "./state.js";
import { DAY, HOUR, QUARTER, floorQuarter, learnZone, local, momentText, periodStart } from "./time.js";
import { fetchYears, showYears } from "./years.js";

const REFRESH = 15_000;
const REGISTRY_AGE = 60_000; // how long the lists of enterprises, parks and meters are good for
const FACTOR_AGE = 300_000;
const GRADES_AGE = 300_000; // of grades, which change by the month, and of the compliance year
const INNER = { month: "day", year: "month" }; // the view that a bar of a view opens

const inView = new Set(); // the enterprises whose rows can be seen
let asking = new AbortController(); // of the enterprise that is shown
let timer = null;
let running = false;
let again = false; // asked for while running: something else has been chosen since

// ---- asking ----------------------------------------------------------------------------------------------

/**
 * Runs one part of a refresh; its problem is shown in its own place and stops nothing else. `isGate`: who may not read
 * this may read nothing here, and is asked for another key.
 */
async function part(panel, work, isGate = false) {
  try {
    const answer = await work();
    known.answeredAt = Date.now();
    return answer;
  } catch (problem) {
    if (problem.name === "AbortError") return undefined;
    if (problem.status === 401 || (isGate && problem.refusesKey)) throw problem;
    if (!(problem instanceof api.Problem)) console.error(problem);
    // what was shown stays, unless the server itself says that it no longer holds
    const keeps = panel.dataset.state === "ready" && (problem.status === 0 || problem.status >= 500);
    if (!keeps) showProblem(panel, "error", problem, refresh);
    if (problem.status === 0) throw problem;
    return undefined;
  }
}

async function refresh() {
  if (running) { again = true; return; }
  running = true;
  again = false;
  clearTimeout(timer);
  const now = Date.now();
  try {
    await refreshRegistry(now);
    await part(byId("city"), () => refreshCity(now));
    await Promise.all([refreshDays(now), refreshEnterprise(now)]);
    known.problem = null;
  } catch (problem) {
    known.problem = problem;
    if (problem.refusesKey) askForKey(problem);
  } finally {
    showStatus(known.problem);
    running = false;
    if (again && !known.problem) refresh();
    else timer = setTimeout(() => { if (!document.hidden) refresh(); }, REFRESH);
  }
}

async function refreshRegistry(now) {
  if (now - known.registryAt < REGISTRY_AGE && known.enterprises.length) return;
  await part(byId("list"), async () => {
    const [enterprises, parks, { zone }] = await Promise.all([api.list("/v1/enterprises"), api.list("/v1/parks"), api.get("/v1/version")]);
    Object.assign(known, { enterprises, parks, registryAt: now });
    learnZone(zone);
    byId("page").hidden = false;
    const cities = citiesOf(known.enterprises);
    if (!chosen.district) chosen.district = cities[0] ?? null;
    if (!known.enterprises.some((one) => one.uscc === chosen.uscc)) chosen.uscc = known.enterprises[0]?.uscc ?? null;
    showDistricts(cities);
    showList();
  }, true);
}

async function refreshCity(now) {
  if (!chosen.district) { showProblem(byId("city"), "empty", t("city.empty")); return; }
  known.city = await fetchCity(chosen.district, now);
  await showCity(chosen.district, known.city);
}

/** The moment that the newest figures end at: now, or where an older year that is being sent has got to. */
function newestEnd(now) {
  const until = known.city?.until ?? null;
  return until !== null && now - until > DAY ? until : floorQuarter(now);
}

async function refreshDays(now) {
  const waiting = [...inView];
  const end = newestEnd(now);
  await Promise.all(Array.from({ length: 3 }, async () => {
    for (let uscc = waiting.shift(); uscc; uscc = waiting.shift()) {
      const points = await part(byId("list"), () => fetchDay(uscc, end, now));
      if (points) { known.days.set(uscc, points); showDay(uscc, points, now); }
    }
  }));
}

async function refreshEnterprise(now) {
  const { uscc } = chosen;
  if (!uscc) { byId("enterprise").hidden = true; return; }
  const { signal } = asking;
  const detail = known.detail?.uscc === uscc ? known.detail : { uscc, healths: new Map(), registryAt: 0 };
  if (known.detail !== detail) {
    known.detail = detail;
    known.factors.clear();
    for (const id of ["windows-items", "sources", "meters-rows", "years-rows", "findings-rows", "grade-body", "grade-history", "quota-body"]) forget(byId(id));
    for (const id of ["windows", "emissions", "intensity", "meters", "years", "findings", "grades", "quota"]) setAttribute(byId(id), "data-state", "loading");
    byId("quota").hidden = true;
    closeReads();
  }
  const end = newestEnd(now);
  await part(byId("emissions"), async () => {
    if (now - detail.registryAt > REGISTRY_AGE) {
      [detail.enterprise, detail.meters] = await Promise.all([
        api.get(api.enterprisePath(uscc), {}, signal), api.list("/v1/meters", { uscc }, signal)]);
      detail.registryAt = now;
    }
    showIdentity(detail.enterprise, known.parks);
  });
  if (!detail.enterprise || signal.aborted) return;
  await Promise.all([
    part(byId("windows"), async () => { detail.windows = await fetchWindows(uscc, chosen.boundary, end, signal); showWindows(detail.windows, detail.enterprise.sources ?? []); }),
    part(byId("emissions"), async () => {
      detail.emissions = await fetchEmissions(uscc, chosen, end, now, signal);
      await showEmissionsPanel();
      await refreshFactors(detail, now, signal);
    }),
    part(byId("intensity"), () => refreshIntensity(detail, end, now, signal)),
    part(byId("years"), async () => { detail.years = await fetchYears(uscc, chosen.boundary, end, signal); showYears(detail.years); }),
    part(byId("findings"), async () => { detail.findings = await fetchFindings(uscc, end, signal); showFindings(detail.findings); }),
    part(byId("grades"), async () => {
      if (detail.grades && now - detail.gradesAt < GRADES_AGE) return;
      [detail.grades, detail.gradesAt] = [await fetchGrades(uscc, signal), now];
      showGrades(detail.grades);
    }),
    part(byId("quota"), async () => {
      const year = local(end - 1).getUTCFullYear();
      if (detail.quota?.year === year && now - detail.quotaAt < GRADES_AGE) return;
      [detail.quota, detail.quotaAt] = [await fetchQuota(uscc, year, signal), now];
      showQuota(detail.quota, detail.enterprise);
    }),
    part(byId("meters"), async () => {
      const channels = channelsOf(detail.meters, now);
      showMeters(channels, detail.healths, now);
      await fetchHealth(uscc, channels, end, now, signal, (channel, health) => {
        detail.healths.set(channel.name, health);
        showMeters(channels, detail.healths, Date.now());
      });
    }),
  ]);
}

async function refreshIntensity(detail, end, now, signal) {
  const products = detail.enterprise.products ?? [];
  const product = products.find((one) => one.id === chosen.product) ?? products[0];
  choices(byId("products"), products.length > 1 ? products.map((one) => [one.id, one.id]) : [], product?.id, (id) => {
    chosen.product = id;
    restart();
  });
  if (!product) { showProblem(byId("intensity"), "empty", t("intensity.none")); return; }
  detail.product = product;
  detail.intensity = await fetchIntensity(detail.uscc, product.id, chosen, end, now, signal);
  await showIntensity(detail.intensity, product);
}

/** The factors of each source, by the derivation of the newest that is known of it: they change seldom. */
async function refreshFactors(detail, now, signal) {
  const { sources, from, end, boundary } = detail.emissions;
  for (const source of sources) {
    const newest = source.points.findLast((point) => point.amount !== null);
    if (!newest) continue;
    const cached = known.factors.get(source.id);
    if (cached && cached.from === from && now - cached.at < FACTOR_AGE) continue;
    const to = Math.min(newest.to, end);
    for (const length of [QUARTER, HOUR, DAY]) { // the shortest that has an entry: an answer carries its readings
      const answer = await fetchDerivation(detail.uscc, { source: source.id, boundary, from: to - length, to }, signal);
      if (!answer.factors.length) continue;
      known.factors.set(source.id, { from, at: now, factors: answer.factors });
      break;
    }
    showSourcesPanel();
  }
}

// ---- showing ---------------------------------------------------------------------------------------------

function showStatus(problem) {
  const bar = byId("status");
  const until = known.city?.until ?? null;
  const behind = until === null ? null : Date.now() - until;
  let kind = "live";
  let text = t("status.live");
  if (problem?.refusesKey) { kind = "waiting"; text = t("status.key"); }
  else if (problem) {
    kind = "offline";
    text = known.answeredAt ? t("status.offline", { time: momentText(known.answeredAt) }) : t("error.unreachable");
  } else if (behind === null) { kind = "waiting"; text = t("status.none"); }
  else if (behind > HOUR) { kind = "behind"; text = t("status.behind", { age: span(behind) }); }
  setAttribute(bar, "data-kind", kind);
  setText(byId("status-text"), text);
}

function showDistricts(cities) {
  const select = byId("district");
  const codes = cities.includes(chosen.district) || !chosen.district ? cities : [chosen.district, ...cities];
  select.hidden = codes.length < 2;
  fill(select, [codes, chosen.district, currentLanguage()], () =>
    codes.map((code) => h("option", { value: code, selected: code === chosen.district }, districtName(code))));
}

function showList() {
  showEnterprises(known.enterprises, { chosen: chosen.uscc, search: chosen.search, choose: chooseEnterprise, seen });
}

async function showEmissionsPanel() {
  const { enterprise, emissions } = known.detail;
  showReports(enterprise.uscc, local(emissions.from).getUTCFullYear());
  const newest = known.city?.until ?? null;
  known.detail.shown = await showEmissions(emissions, enterprise.sources ?? [], {
    choose: explain,
    goTo: newest === null ? null : { at: newest - 1, go: () => move(null) },
  });
  showSourcesPanel();
}

function showSourcesPanel() {
  const { shown } = known.detail;
  if (!shown) return;
  const factors = new Map([...known.factors].map(([id, entry]) => [id, entry.factors]));
  showSources(shown, factors, (id) => {
    const newest = shown.find((source) => source.id === id)?.points.findLast((point) => point.amount !== null);
    if (newest) explain(id, newest);
  });
}

/** Where the figure of a source in a period comes from. */
function explain(source, point) {
  const { view, granularity, boundary } = known.detail.emissions;
  const inner = INNER[view];
  openDerivation(chosen.uscc, { source, boundary, from: point.from, to: point.to, granularity }, inner && {
    label: t("derivation.zoom", { view: t(`view.${inner}`) }),
    go: () => { chosen.view = inner; move(point.from); },
  });
}

function showControls() {
  const group = (id, values, name, apply) =>
    choices(byId(id), values.map((value) => [value, t(`${name}.${value}`)]), chosen[id], (value) => {
      chosen[id] = value;
      apply();
    });
  group("view", VIEWS, "view", restart);
  group("boundary", ["account", "ets"], "boundary", restart);
  group("shape", ["chart", "table"], "view", () => { showControls(); showEmissionsPanel(); });
  byId("emissions-chart").hidden = chosen.shape !== "chart";
  byId("emissions-table").hidden = chosen.shape !== "table";
  byId("latest").disabled = chosen.at === null;
  byId("next").disabled = chosen.at === null;
  writeAddress();
}

function showLanguage() {
  for (const element of document.querySelectorAll("[data-t]")) setText(element, t(element.dataset.t));
  for (const element of document.querySelectorAll("[data-label]")) setAttribute(element, "aria-label", t(element.dataset.label));
  for (const element of document.querySelectorAll("[data-placeholder]")) setAttribute(element, "placeholder", t(element.dataset.placeholder));
  document.title = t("title");
  fill(byId("quality-legend"), currentLanguage(), () => [
    h("li", { id: "net-key" }, h("span", { "aria-hidden": "true" }, "◆ "), t("net")),
    ...[...QUALITIES].reverse().map((quality) => h("li", {}, qualityMark(quality, null, true)))]);
}

/** Draws everything again from what is known, after a change of language, theme or width. */
function redraw() {
  showLanguage();
  showControls();
  showStatus(known.problem);
  if (known.city) showCity(chosen.district, known.city);
  showDistricts(citiesOf(known.enterprises));
  if (known.registryAt) showList();
  for (const [uscc, points] of known.days) showDay(uscc, points, Date.now());
  const { detail } = known;
  if (!detail?.enterprise) return;
  showIdentity(detail.enterprise, known.parks);
  if (detail.windows) showWindows(detail.windows, detail.enterprise.sources ?? []);
  if (detail.emissions) showEmissionsPanel();
  if (detail.intensity) showIntensity(detail.intensity, detail.product);
  if (detail.years) showYears(detail.years);
  if (detail.findings) showFindings(detail.findings);
  if (detail.grades) showGrades(detail.grades);
  if (detail.quota) showQuota(detail.quota, detail.enterprise);
  if (detail.meters) showMeters(channelsOf(detail.meters, Date.now()), detail.healths, Date.now());
}

// ---- acting ----------------------------------------------------------------------------------------------

/** Something else is chosen: what was asked for is no longer wanted. */
function restart() {
  asking.abort();
  asking = new AbortController();
  showControls();
  refresh();
}

/** To the period that holds `at`; null: the newest, and on with it as it grows. */
function move(at) {
  chosen.at = at;
  restart();
}

function chooseEnterprise(uscc) {
  chosen.uscc = uscc;
  chosen.product = null;
  showList();
  restart();
  if (matchMedia("(max-width: 60rem)").matches) byId("enterprise").scrollIntoView({ block: "start" });
}

function step(steps) {
  const at = chosen.at ?? newestEnd(Date.now()) - 1;
  const target = periodStart(chosen.view, at, steps);
  if (target <= Date.now()) move(target);
  else if (chosen.at !== null) move(null);
}

function askForKey(problem = null) {
  const dialog = byId("key");
  byId("key-problem").replaceChildren(...(problem && api.savedKey() ? [t("key.refused"), " ", ...problemText(problem)] : []));
  api.forgetKey();
  byId("key-input").value = "";
  if (!dialog.open) dialog.showModal();
}

function prepare() {
  byId("key-change").addEventListener("click", () => askForKey());
  byId("key-form").addEventListener("submit", () => {
    api.saveKey(byId("key-input").value);
    known.registryAt = 0;
    refresh();
  });
  byId("language").addEventListener("click", () => {
    chooseLanguage(currentLanguage() === "zh" ? "en" : "zh");
    localStorage.setItem("carbonmeter.language", currentLanguage());
    redraw();
  });
  byId("theme").addEventListener("click", () => {
    const dark = getComputedStyle(document.documentElement).colorScheme === "dark";
    setTheme(dark ? "light" : "dark");
    localStorage.setItem("carbonmeter.theme", dark ? "light" : "dark");
    redraw();
  });
  byId("previous").addEventListener("click", () => step(-1));
  byId("next").addEventListener("click", () => step(1));
  byId("latest").addEventListener("click", () => move(null));
  byId("list-search").addEventListener("input", (event) => { chosen.search = event.target.value; showList(); });
  byId("district").addEventListener("change", (event) => { chosen.district = event.target.value; known.city = null; restart(); });
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the part after # of the address is the choice, not an anchor
    byId("enterprise").focus();
  });
  addEventListener("hashchange", () => { api.takeKeyFromAddress(); readAddress(); restart(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  setInterval(() => {
    if (document.hidden) return;
    showStatus(known.problem);
    if (known.detail?.meters) showMeters(channelsOf(known.detail.meters, Date.now()), known.detail.healths, Date.now());
  }, 5_000); // ages grow between refreshes
  prepareDrawer();
  prepareReads(chosen);
}

function setTheme(theme) {
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
}

const seen = new IntersectionObserver((entries) => {
  let fresh = false;
  for (const { target, isIntersecting } of entries) {
    const { uscc } = target.dataset;
    if (isIntersecting) { fresh ||= !known.days.has(uscc); inView.add(uscc); } else inView.delete(uscc);
  }
  if (fresh && known.city) refreshDays(Date.now()).catch(() => {}); // the next round tells of what is wrong
}, { rootMargin: "600px" });

setTheme(localStorage.getItem("carbonmeter.theme"));
chooseLanguage(localStorage.getItem("carbonmeter.language") ?? currentLanguage());
api.takeKeyFromAddress();
readAddress();
prepare();
redraw();
refresh();
