// What the visitor has chosen, and what is known: kept over refreshes.

import { dateStart, dateText } from "./time.js";

export const VIEWS = ["day", "month", "year"];

// What the visitor has chosen; the part after # of the address says it, so that a view can be shared.
export const chosen = { uscc: null, view: "day", at: null, boundary: "account", shape: "chart", district: null, search: "", product: null };
// What is known, kept over refreshes so that a change of language or theme needs no request.
export const known = { enterprises: [], parks: [], registryAt: 0, city: null, days: new Map(), factors: new Map(), detail: null, answeredAt: null, problem: null };

export function readAddress() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  chosen.uscc = fragment.get("e") ?? chosen.uscc;
  chosen.view = VIEWS.includes(fragment.get("v")) ? fragment.get("v") : "day";
  chosen.at = dateStart(fragment.get("d"));
  chosen.boundary = fragment.get("b") === "ets" ? "ets" : "account";
  chosen.shape = fragment.get("s") === "table" ? "table" : "chart";
  chosen.district = /^\d{6}$/.test(fragment.get("c") ?? "") ? fragment.get("c") : chosen.district;
}

export function writeAddress() {
  const fragment = new URLSearchParams();
  if (chosen.uscc) fragment.set("e", chosen.uscc);
  fragment.set("v", chosen.view);
  if (chosen.at !== null) fragment.set("d", dateText(chosen.at));
  if (chosen.boundary !== "account") fragment.set("b", chosen.boundary);
  if (chosen.shape !== "chart") fragment.set("s", chosen.shape);
  if (chosen.district) fragment.set("c", chosen.district);
  history.replaceState(null, "", `#${fragment}`);
}
