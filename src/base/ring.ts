// A FIFO on a circular array that grows by doubling: add and take in constant time, without the shifting of Array.shift().
// It has no bound of its own; whoever fills it counts bytes.
//
//   slots:  [ c d . . a b ]     head = 4, count = 4: a b c d

export class Ring<T> {
  #slots: (T | undefined)[] = new Array<T | undefined>(16);
  #head = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(item: T): void {
    if (this.#count === this.#slots.length) this.#grow();
    this.#slots[(this.#head + this.#count) & (this.#slots.length - 1)] = item;
    this.#count++;
  }

  /** The oldest item, left in place. */
  first(): T | undefined {
    return this.#slots[this.#head];
  }

  /** Removes the oldest item; undefined when empty. */
  take(): T | undefined {
    const item = this.#slots[this.#head];
    if (this.#count === 0) return undefined;
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    this.#count--;
    return item;
  }

  #grow(): void {
    const slots = [...this.#slots.slice(this.#head), ...this.#slots.slice(0, this.#head)];
    slots.length *= 2;
    this.#slots = slots;
    this.#head = 0;
  }
}
