// The plant's clock. Days and months are those of the server's zone, a fixed offset read off its own answers,
// whatever zone the browser sits in. Moments are milliseconds since the epoch.

export const QUARTER = 15 * 60 * 1000;
export const HOUR = 4 * QUARTER;
export const DAY = 24 * HOUR;

let offset = 8 * HOUR; // China Standard Time until an answer says otherwise

/** Learns the server's offset from a time it wrote ("…+08:00"). */
export function learnZone(text) {
  const match = /([+-])(\d\d):(\d\d)$/.exec(text);
  if (match) offset = (Number(match[2]) * 60 + Number(match[3])) * 60000 * (match[1] === "-" ? -1 : 1);
  else if (/[zZ]$/.test(text)) offset = 0;
}

export function moment(text) {
  return Date.parse(text);
}

/** A Date whose UTC fields are the plant's local ones. */
export function local(ms) {
  return new Date(ms + offset);
}

const two = (n) => String(n).padStart(2, "0");

export function zoneText() {
  const minutes = Math.abs(offset) / 60000;
  return `${offset < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

export function dateText(ms) {
  return local(ms).toISOString().slice(0, 10);
}

export function clockText(ms) {
  return local(ms).toISOString().slice(11, 16);
}

/** RFC 3339 at the plant's offset, as the API takes it. */
export function stamp(ms) {
  return local(ms).toISOString().slice(0, 19) + zoneText();
}

/** "2026-03-04 14:45", with the seconds where there are any. */
export function momentText(ms) {
  const text = local(ms).toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, text.slice(17, 19) === "00" ? 16 : 19)}`;
}

export function floorQuarter(ms) {
  return Math.floor(ms / QUARTER) * QUARTER;
}

const fromLocal = (year, month, day) => Date.UTC(year, month, day) - offset;

/** First moment of the local day, month or year that holds `ms`, `steps` later. */
export function periodStart(kind, ms, steps = 0) {
  const at = local(ms);
  if (kind === "day") return fromLocal(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate() + steps);
  if (kind === "month") return fromLocal(at.getUTCFullYear(), at.getUTCMonth() + steps, 1);
  return fromLocal(at.getUTCFullYear() + steps, 0, 1);
}

/** The first moment of a local date "2026-03-04". */
export function dateStart(text) {
  const match = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text ?? "");
  return match ? fromLocal(Number(match[1]), Number(match[2]) - 1, Number(match[3])) : null;
}

/** The end of the period of a granularity that begins at `ms`. */
export function periodEnd(granularity, ms) {
  if (granularity === "15m") return ms + QUARTER;
  if (granularity === "hour") return Math.floor((ms + offset) / HOUR) * HOUR + HOUR - offset;
  return periodStart(granularity, ms, 1);
}
