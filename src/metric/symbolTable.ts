// The symbols of a remote write 2.0 request: texts that stand once, in front, and are meant by number from then on.
// Nothing is copied: a symbol is a place in the request.

/** Prometheus sends some ten per series and 2000 series; an empty symbol is two bytes, so that the body's bound alone would allow millions. */
export const SYMBOLS_MAX = 1 << 20;

export class SymbolTable {
  count = 0;
  /** Start and stop of each; only the first `count` pairs are symbols. */
  places = new Int32Array(512);

  /** False: there are SYMBOLS_MAX already. */
  add(start: number, stop: number): boolean {
    if (this.count === SYMBOLS_MAX) return false;
    if (this.count * 2 === this.places.length) {
      const grown = new Int32Array(this.places.length * 2);
      grown.set(this.places);
      this.places = grown;
    }
    this.places[this.count * 2] = start;
    this.places[this.count * 2 + 1] = stop;
    this.count++;
    return true;
  }

  /** Whether `ref` is one of them. */
  has(ref: number): boolean {
    return ref >= 0 && ref < this.count;
  }

  /** Bytes of a symbol that has() knows. */
  length(ref: number): number {
    return (this.places[ref * 2 + 1] ?? 0) - (this.places[ref * 2] ?? 0);
  }
}
