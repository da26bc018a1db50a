// The samples of one series, a column per property, used again for every series: reading a known one allocates nothing.

export class SampleColumns {
  readonly #countMax: number;
  /** Only the first `count` of each column are samples. */
  count = 0;
  /** ms since the epoch. */
  timestamps = new Float64Array(16);
  values = new Float64Array(16);
  /** 1: the staleness marker. */
  stale = new Uint8Array(16);
  /** Since when the counter counts, ms since the epoch; 0: not said. */
  starts = new Float64Array(16);

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** Adds a sample of zeroes and returns its index; -1 when there are too many. */
  add(): number {
    if (this.count === this.#countMax) return -1;
    if (this.count === this.values.length) this.#grow();
    const i = this.count++;
    this.timestamps[i] = 0;
    this.values[i] = 0;
    this.stale[i] = 0;
    this.starts[i] = 0;
    return i;
  }

  /** Whether sample `i` can be added up: no staleness marker, no NaN, no infinity. */
  isNumber(i: number): boolean {
    return this.stale[i] === 0 && Number.isFinite(this.values[i]);
  }

  /** The start of those that have none of their own. */
  fillStarts(start: number): void {
    for (let i = 0; i < this.count; i++) if (this.starts[i] === 0) this.starts[i] = start;
  }

  #grow(): void {
    const length = this.values.length * 2;
    const { timestamps, values, stale, starts } = this;
    this.timestamps = new Float64Array(length);
    this.values = new Float64Array(length);
    this.stale = new Uint8Array(length);
    this.starts = new Float64Array(length);
    this.timestamps.set(timestamps);
    this.values.set(values);
    this.stale.set(stale);
    this.starts.set(starts);
  }
}
