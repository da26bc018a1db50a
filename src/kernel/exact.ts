// Double-double sums: a pair (high, low) of doubles whose exact sum is the value, |low| <= half an ulp of high. Exact as long
// as the true sum needs at most 106 bits, which makes sums of ordinary samples independent of their order.
// Knuth's two-sum and Dekker's product (T. J. Dekker, Numer. Math. 18, 1971); oracle: test/reference/rational.ts.

/** Adds `value` to the pair at `pair`. */
export function addExact(pair: i32, value: f64): void {
  addPair(pair, value, 0.0);
}

/** Adds (high, low) to the pair at `pair`; |low| must be at most half an ulp of high. */
export function addPair(pair: i32, high: f64, low: f64): void {
  const a: f64 = f64.load(pair);
  const sum: f64 = a + high;
  const part: f64 = sum - a;
  let error: f64 = a - (sum - part) + (high - part);
  error = error + (f64.load(pair + 8) + low);
  if (error - error != 0.0) {
    // Overflow: the sum is what IEEE addition says it is.
    f64.store(pair, sum);
    f64.store(pair + 8, 0.0);
    return;
  }
  const result: f64 = sum + error;
  f64.store(pair, result);
  f64.store(pair + 8, error - (result - sum));
}

/** Adds the exact difference `a - b`. */
export function addDifference(pair: i32, a: f64, b: f64): void {
  const difference: f64 = a - b;
  const part: f64 = difference - a;
  const error: f64 = a - (difference - part) - (b + part);
  if (error - error != 0.0) addPair(pair, difference, 0.0);
  else addPair(pair, difference, error);
}

/** Adds the exact square of `value`. */
export function addSquare(pair: i32, value: f64): void {
  const square: f64 = value * value;
  const split: f64 = 134217729.0 * value;
  const high: f64 = split - (split - value);
  const low: f64 = value - high;
  const error: f64 = low * low - (square - high * high - 2.0 * high * low);
  // Beyond about 1e150 the split overflows; the plain square is the best there is.
  if (error - error != 0.0) addPair(pair, square, 0.0);
  else addPair(pair, square, error);
}
