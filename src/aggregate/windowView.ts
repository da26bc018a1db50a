// The flyweight that outputs read: one Group in one closed Window, straight from kernel memory. Numbers are computed when an
// output asks for them, with one rounding each.
import { add, divide, multiply, negate, type Pair, round, squareRoot } from "../base/doubleDouble.js";
import { nextRange } from "../kernel/histogram.js";
import {
  BASIC_COUNT,
  BASIC_LAST,
  BASIC_MAX,
  BASIC_MIN,
  BASIC_SUM,
  COUNTER_FIRSTS,
  COUNTER_INCREASE,
  COUNTER_RATE,
  COUNTER_SERIES,
  FLAG_DIGEST,
  GROUP_FIRSTS,
  GROUP_HISTOGRAM,
  GROUP_SAMPLES,
  GROUP_TOTAL,
  HISTOGRAM_SIDE,
  RANGE_BUCKETS,
  SET_COUNT,
} from "../kernel/layout.js";
import type { CompiledRule } from "./compile.js";
import { digestQuantile } from "./digests.js";
import type { WindowView } from "./output.js";
import { countAt, sketchQuantile } from "./quantile.js";

function pairAt(address: number): Pair {
  return [f64.load(address), f64.load(address + 8)];
}

/** The nearest double to the sum of two pairs. */
function bothOf(a: number, b: number): number {
  const plain = f64.load(a) + f64.load(b);
  return round(add(pairAt(a), pairAt(b)), plain);
}

export class FlushView implements WindowView {
  #compiled: CompiledRule;
  #group = 0;
  /** 0 in an idle window. */
  #cell = 0;

  constructor(compiled: CompiledRule) {
    this.#compiled = compiled;
  }

  /** Points the view at a Group and its Cell (0: idle window). */
  show(group: number, cell: number): void {
    this.#group = group;
    this.#cell = cell;
  }

  get count(): number {
    return this.#cell === 0 ? 0 : f64.load(this.#cell + BASIC_COUNT);
  }

  get sum(): number {
    return this.#cell === 0 ? 0 : f64.load(this.#cell + BASIC_SUM);
  }

  get min(): number {
    return this.#basic(BASIC_MIN);
  }

  get max(): number {
    return this.#basic(BASIC_MAX);
  }

  get last(): number {
    return this.#basic(BASIC_LAST);
  }

  get mean(): number {
    if (this.#cell === 0) return Number.NaN;
    return round(divide(pairAt(this.#cell + BASIC_SUM), [this.count, 0]), this.sum / this.count);
  }

  get variance(): number {
    const exact = this.#variance();
    return exact === undefined ? Number.NaN : Math.max(0, exact[0] + exact[1]);
  }

  get deviation(): number {
    const exact = this.#variance();
    if (exact === undefined) return Number.NaN;
    return exact[0] > 0 || Number.isNaN(exact[0]) ? squareRoot(exact) : 0;
  }

  get increase(): number {
    if (this.#cell === 0) return 0;
    return bothOf(this.#counter() + COUNTER_INCREASE, this.#counter() + COUNTER_FIRSTS);
  }

  get increaseKnown(): number {
    return this.#cell === 0 ? 0 : f64.load(this.#counter() + COUNTER_INCREASE);
  }

  get total(): number {
    return bothOf(this.#group + GROUP_TOTAL, this.#group + GROUP_FIRSTS);
  }

  get totalKnown(): number {
    return f64.load(this.#group + GROUP_TOTAL);
  }

  get samplesTotal(): number {
    return f64.load(this.#group + GROUP_SAMPLES);
  }

  get rateSum(): number {
    return this.rateSeries === 0 ? Number.NaN : f64.load(this.#counter() + COUNTER_RATE);
  }

  get rateSeries(): number {
    return this.#cell === 0 ? 0 : f64.load(this.#counter() + COUNTER_SERIES);
  }

  get seriesCount(): number {
    return this.#setCount(this.#compiled.seriesAt);
  }

  get valueCount(): number {
    return this.#setCount(this.#compiled.valuesAt);
  }

  rangeCount(index: number): number {
    const histogram = i32.load(this.#group + GROUP_HISTOGRAM);
    return histogram === 0 ? 0 : countAt(histogram + HISTOGRAM_SIDE, index);
  }

  nextRange(from: number): number {
    const histogram = i32.load(this.#group + GROUP_HISTOGRAM);
    return histogram === 0 ? RANGE_BUCKETS : nextRange(histogram, from);
  }

  quantile(phi: number): number {
    if (this.#cell === 0) return Number.NaN;
    const sketch = i32.load(this.#cell + this.#compiled.sketchAt);
    if (sketch === 0) return Number.NaN;
    return (this.#compiled.flags & FLAG_DIGEST) === 0 ? sketchQuantile(sketch, phi) : digestQuantile(sketch, phi);
  }

  #basic(offset: number): number {
    return this.#cell === 0 ? Number.NaN : f64.load(this.#cell + offset);
  }

  #setCount(at: number): number {
    const set = this.#cell === 0 ? 0 : i32.load(this.#cell + at);
    return set === 0 ? 0 : i32.load(set + SET_COUNT);
  }

  #counter(): number {
    return this.#cell + this.#compiled.counterAt;
  }

  /** (n * sum of x² - (sum of x)²) / n², undefined without samples. */
  #variance(): Pair | undefined {
    if (this.#cell === 0) return undefined;
    const count: Pair = [this.count, 0];
    const sum = pairAt(this.#cell + BASIC_SUM);
    const squares = pairAt(this.#cell + this.#compiled.momentsAt);
    const spread = add(multiply(count, squares), negate(multiply(sum, sum)));
    return divide(spread, multiply(count, count));
  }
}
