// The report of the year that is looked at, as a file. It is fetched with the visitor's key, which an address can't carry.

import * as api from "./api.js";
import { h, fill, setText } from "./dom.js";
import { currentLanguage, t } from "./i18n.js";
import { byId } from "./pieces.js";

const FORMATS = ["pdf", "xlsx", "json"];

export function showReports(uscc, year) {
  const label = t("report.of", { year });
  fill(byId("reports"), [uscc, label], () => {
    const problem = h("span", { class: "message", role: "alert" });
    const buttons = FORMATS.map((format) => h("button", {
      type: "button", class: "link", "aria-label": `${label} ${format.toUpperCase()}`,
      onclick: (event) => download(event.currentTarget, problem, uscc, year, format),
    }, format.toUpperCase()));
    return [h("span", { class: "muted" }, label), ...buttons, problem];
  });
}

async function download(button, problem, uscc, year, format) {
  button.disabled = true;
  setText(problem, "");
  try {
    const path = api.enterprisePath(uscc, `reports/${year}`);
    const { name, blob } = await api.file(path, { format, lang: currentLanguage() });
    const address = URL.createObjectURL(blob);
    h("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000); // the browser may still be reading it
  } catch (error) {
    setText(problem, error.message);
  } finally {
    button.disabled = false;
  }
}
