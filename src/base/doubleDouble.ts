// Arithmetic on double-double values, for what a flush computes from the kernel's exact sums: one rounding at the very end.
// Dekker's and Knuth's algorithms, as in kernel/exact.ts; cold, so results are small arrays. Oracle: test/reference/rational.ts.

/** high + low, |low| at most half an ulp of high. */
export type Pair = readonly [high: number, low: number];

function twoSum(a: number, b: number): Pair {
  const sum = a + b;
  const part = sum - a;
  return [sum, a - (sum - part) + (b - part)];
}

function twoProduct(a: number, b: number): Pair {
  const product = a * b;
  const splitA = 134217729 * a;
  const highA = splitA - (splitA - a);
  const lowA = a - highA;
  const splitB = 134217729 * b;
  const highB = splitB - (splitB - b);
  const lowB = b - highB;
  return [product, lowA * lowB - (product - highA * highB - lowA * highB - highA * lowB)];
}

function normalise(high: number, low: number): Pair {
  const sum = high + low;
  return [sum, low - (sum - high)];
}

export function add(a: Pair, b: Pair): Pair {
  const [high, error] = twoSum(a[0], b[0]);
  const [low, rest] = twoSum(a[1], b[1]);
  const [sum, part] = normalise(high, error + low);
  return normalise(sum, part + rest);
}

export function negate(a: Pair): Pair {
  return [-a[0], -a[1]];
}

export function multiply(a: Pair, b: Pair): Pair {
  const [high, low] = twoProduct(a[0], b[0]);
  return normalise(high, low + (a[0] * b[1] + a[1] * b[0]));
}

export function divide(a: Pair, b: Pair): Pair {
  const first = a[0] / b[0];
  const rest = add(a, negate(multiply([first, 0], b)));
  const second = rest[0] / b[0];
  const last = add(rest, negate(multiply([second, 0], b)));
  const [high, low] = normalise(first, second);
  return add([high, low], [last[0] / b[0], 0]);
}

/** Square root, one rounding. */
export function squareRoot(a: Pair): number {
  if (!(a[0] > 0)) return a[0] === 0 ? 0 : Number.NaN;
  const root = Math.sqrt(a[0]);
  if (!Number.isFinite(root)) return root;
  const rest = add(a, negate(twoProduct(root, root)));
  return root + rest[0] / (2 * root);
}

/** The nearest double; falls back to plain arithmetic's answer when the pair overflowed on the way. */
export function round(a: Pair, plain: number): number {
  const value = a[0] + a[1];
  return Number.isNaN(value) ? plain : value;
}
