// The public JSON of the server, with the visitor's key. Problem details (RFC 9457) become `Problem`s.

import { t } from "./i18n.js";
import { learnZone } from "./time.js";

const KEY = "carbonmeter.key";
const PAGE = 5000; // items asked for at a time; the server may give fewer, and a cursor

export class Problem extends Error {
  constructor(status, title, detail, faults = []) {
    super(detail || title);
    Object.assign(this, { status, title, detail, faults });
  }

  get refusesKey() {
    return this.status === 401 || this.status === 403;
  }
}

/** A key in the fragment (#key=…) is taken over and removed from the address, so that it isn't shared by accident. */
export function takeKeyFromAddress() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  if (!fragment.has("key")) return;
  saveKey(fragment.get("key"));
  fragment.delete("key");
  const rest = fragment.toString();
  history.replaceState(null, "", location.pathname + location.search + (rest ? `#${rest}` : ""));
}

export function savedKey() {
  return sessionStorage.getItem(KEY);
}

export function saveKey(key) {
  sessionStorage.setItem(KEY, key.trim());
}

export function forgetKey() {
  sessionStorage.removeItem(KEY);
}

function problemOf(response, body) {
  const faults = Array.isArray(body?.errors) ? body.errors.map(faultText) : [];
  return new Problem(response.status, body?.title || response.statusText || String(response.status), body?.detail ?? "", faults);
}

function faultText(fault) {
  if (typeof fault === "string") return fault;
  const place = fault.place ?? fault.pointer ?? fault.field ?? "";
  const message = fault.message ?? fault.detail ?? JSON.stringify(fault);
  return place ? `${place}: ${message}` : message;
}

/** GET: the answer's response and its address; a refusal is thrown. */
async function ask(path, parameters, signal) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== null && value !== undefined) query.set(name, value);
  const address = query.size ? `${path}?${query}` : path;
  const key = savedKey(); // a server may also answer reads without one
  let response;
  try {
    response = await fetch(address, { headers: key ? { Authorization: `Bearer ${key}` } : {}, signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, t("error.unreachable"), "");
  }
  if (!response.ok) throw problemOf(response, await bodyOf(response));
  return response;
}

async function bodyOf(response) {
  try { return await response.json(); } catch { return null; } // a proxy's page, say: the status tells enough
}

/** GET, as JSON. */
export async function get(path, parameters = {}, signal = undefined) {
  const response = await ask(path, parameters, signal);
  const body = await bodyOf(response);
  if (body === null) throw new Problem(response.status, t("error.unexpected"), path);
  return body;
}

/** GET, as a file with the name that the server gives it. */
export async function file(path, parameters = {}, signal = undefined) {
  const response = await ask(path, parameters, signal);
  const name = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "")?.[1] ?? "report";
  return { name, blob: await response.blob() };
}

/** All items of a list, page by page. */
export async function list(path, parameters = {}, signal = undefined) {
  const items = [];
  let cursor = null;
  do {
    const page = await get(path, { ...parameters, limit: PAGE, cursor }, signal);
    items.push(...page.items);
    cursor = page.next;
  } while (cursor);
  if (items.length && typeof items[0].at === "string") learnZone(items[0].at);
  return items;
}

export const enterprisePath = (uscc, what = "") =>
  `/v1/enterprises/${encodeURIComponent(uscc)}${what ? `/${what}` : ""}`;
export const districtPath = (code) => `/v1/districts/${encodeURIComponent(code)}/emissions`;
