// Durations as people write them: Go's syntax (`1h30m`, `1.5s`, `250ms`, `-` refused, bare `0` allowed) plus `d` and `w`.
// Exact: digits are summed as whole nanoseconds, never as floats. No calendar: a day is 24 h.
// Source: Go `time.ParseDuration`; `d` and `w` as Prometheus writes them.

export type DurationResult = { readonly ok: true; readonly ms: number } | { readonly ok: false; readonly error: string; readonly cure: string };

const nanosecondsOf: ReadonlyMap<string, bigint> = new Map([
  ["ns", 1n],
  ["us", 1_000n],
  ["µs", 1_000n],
  ["μs", 1_000n],
  ["ms", 1_000_000n],
  ["s", 1_000_000_000n],
  ["m", 60_000_000_000n],
  ["h", 3_600_000_000_000n],
  ["d", 86_400_000_000_000n],
  ["w", 604_800_000_000_000n],
]);

/** Go's limit: an int64 of nanoseconds, about 292 years. */
const nanosecondsMax = (1n << 63n) - 1n;
const part = /([0-9]*)(?:\.([0-9]*))?([^0-9.]*)/y;

function fail(error: string, cure = "use 10s or 1m"): DurationResult {
  return { ok: false, error, cure };
}

/** Milliseconds of `text`, which may be fractional (`1us` is 0.001). `error` follows the value in a message ("7x is not a duration"). */
export function parseDuration(text: string): DurationResult {
  if (text === "") return fail("is empty, not a duration");
  if (text.startsWith("-")) return fail("is negative");
  const body = text.startsWith("+") ? text.slice(1) : text;
  if (body === "0") return { ok: true, ms: 0 };
  if (/^[0-9]*\.?[0-9]+$/.test(body)) return fail("has no unit", body.length < 20 ? `use ${body}s for seconds` : undefined);
  let total = 0n;
  part.lastIndex = 0;
  while (part.lastIndex < body.length || body === "") {
    const found = part.exec(body);
    const [whole, integer = "", fraction = "", unit = ""] = found ?? [];
    if (whole === undefined || integer + fraction === "") return fail("is not a duration");
    if (integer.length + fraction.length > 40) return fail("has too many digits");
    if (unit === "") return fail("is not a duration");
    const scale = nanosecondsOf.get(unit);
    if (scale === undefined) return fail("is not a duration");
    total += BigInt(integer === "" ? "0" : integer) * scale;
    if (fraction !== "") total += (BigInt(fraction) * scale) / 10n ** BigInt(fraction.length);
    if (total > nanosecondsMax) return fail("is too long", "the limit is 2562047h");
  }
  // Split first: nanoseconds of more than 104 days are beyond 2^53.
  return { ok: true, ms: Number(total / 1_000_000n) + Number(total % 1_000_000n) / 1e6 };
}

const steps = [
  ["w", 604_800_000],
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
] as const;

/** Shortest form with whole units: 90000 -> `1m30s`, 1500 -> `1s500ms`, 0 -> `0s`. Takes whole, non-negative milliseconds. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  let rest = ms;
  let text = "";
  for (const [unit, size] of steps) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${String(count)}${unit}`;
    rest -= count * size;
  }
  return rest > 0 ? `${text}${String(rest)}ms` : text;
}
