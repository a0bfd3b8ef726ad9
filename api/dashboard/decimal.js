// Exact decimals. Amounts arrive as decimal strings and are added, scaled and rounded as integers: a total
// shown here is the ledger's, digit for digit. Floats serve only to draw.

/** {m, e}: m × 10^-e, m a BigInt, e >= 0; null for null (missing stays missing). */
export function parse(text) {
  if (text === null || text === undefined) return null;
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(String(text));
  if (!match) throw new Error(`not a decimal: ${JSON.stringify(text)}`);
  const [, sign, whole, fraction = "", power = "0"] = match;
  let m = BigInt(whole + fraction);
  let e = fraction.length - Number(power);
  if (e < 0) { m *= 10n ** BigInt(-e); e = 0; }
  return { m: sign ? -m : m, e };
}

function aligned(value, e) {
  return value.m * 10n ** BigInt(e - value.e);
}

/** Sum of the known; null when none is known. */
export function sum(values) {
  let total = null;
  for (const value of values) {
    if (value === null) continue;
    if (total === null) { total = value; continue; }
    const e = Math.max(total.e, value.e);
    total = { m: aligned(total, e) + aligned(value, e), e };
  }
  return total;
}

export function times(value, factor) {
  return value === null ? null : { m: value.m * BigInt(factor), e: value.e };
}

/** value ÷ 10^places, exactly. */
export function shift(value, places) {
  return value === null ? null : { m: value.m, e: value.e + places };
}

/** Rounded to a number of decimal places, half to even, as everywhere in the ledger. */
export function round(value, places) {
  if (value === null || value.e <= places) return value;
  const unit = 10n ** BigInt(value.e - places);
  const negative = value.m < 0n;
  const size = negative ? -value.m : value.m;
  let quotient = size / unit;
  const twice = 2n * (size % unit);
  if (twice > unit || (twice === unit && quotient % 2n === 1n)) quotient += 1n;
  return { m: negative ? -quotient : quotient, e: places };
}

export function isNegative(value) {
  return value !== null && value.m < 0n;
}

/** Plain text; with `places`, rounded and padded to just so many; grouped by thousands if asked. */
export function text(value, { places = null, group = false } = {}) {
  if (value === null) return null;
  let { m, e } = places === null ? value : round(value, places);
  if (places !== null && e < places) { m *= 10n ** BigInt(places - e); e = places; }
  const digits = (m < 0n ? -m : m).toString().padStart(e + 1, "0");
  let whole = digits.slice(0, digits.length - e);
  const fraction = e ? "." + digits.slice(digits.length - e) : "";
  if (group) whole = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return (m < 0n ? "−" : "") + whole + fraction;
}

/** To draw with; never to add up or to show. */
export function number(value) {
  return value === null ? null : Number(value.m) / 10 ** value.e;
}
