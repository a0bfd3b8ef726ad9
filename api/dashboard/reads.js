// Who read of an enterprise's account: the log of reads, asked for when it is opened, for asking is a read as well.

import * as api from "./api.js";
import { h, fill, keyed, setState, setText } from "./dom.js";
import { currentLanguage, has, t } from "./i18n.js";
import { byId, showProblem } from "./pieces.js";
import { HOUR, moment, momentText, stamp } from "./time.js";

const BACK = HOUR; // what is shown; the whole log is at the API

/** Reads of the last hour, those alike together: who, by which key, what, by what right, how it ended. Newest first. */
async function fetchReads(uscc, now) {
  const found = await api.list(api.enterprisePath(uscc, "read-log"), { from: stamp(now - BACK) });
  const groups = new Map();
  for (const one of found) {
    const id = JSON.stringify([one.who, one.key, one.role, one.what, one.object, one.basis, one.status]);
    groups.set(id, { ...one, id, count: (groups.get(id)?.count ?? 0) + 1 });
  }
  return [...groups.values()].sort((one, other) => other.number - one.number);
}

/** To be opened again for another enterprise. */
export function closeReads() {
  byId("reads").open = false;
  showReads([]);
}

export function prepareReads(chosen) {
  const panel = byId("reads");
  panel.addEventListener("toggle", async () => {
    if (!panel.open) return;
    const { uscc } = chosen;
    setState(panel, "loading");
    try {
      const reads = await fetchReads(uscc, Date.now());
      if (uscc !== chosen.uscc) return;
      showReads(reads);
      if (reads.length) setState(panel, "ready");
      else showProblem(panel, "empty", t("reads.empty"));
    } catch (problem) {
      showProblem(panel, "error", problem);
    }
  });
}

function showReads(reads) {
  keyed(byId("reads-rows"), reads, (one) => one.id, () => h("tr", {},
    h("th", { scope: "row" }), h("td"), h("td"), h("td", { class: "figure" }), h("td")),
  (row, one) => {
    const [who, what, basis, count, last] = row.children;
    fill(who, [one.who, one.key, one.role, currentLanguage()], () => [one.who,
      h("span", { class: "what muted" }, [one.role && (has(`role.${one.role}`) ? t(`role.${one.role}`) : one.role), one.key].filter(Boolean).join(" · "))]);
    fill(what, [one.what, one.object], () => [one.part, h("span", { class: "what muted code" }, [one.what, one.object].filter(Boolean).join(" · "))]);
    fill(basis, [one.basis, one.status, currentLanguage()], () => (one.basis === "none"
      ? h("span", { class: "chip severity is-high" }, t("reads.refused", { status: one.status })) : one.basis));
    setText(count, String(one.count));
    setText(last, momentText(Math.floor(moment(one.at) / 1000) * 1000));
  });
}
