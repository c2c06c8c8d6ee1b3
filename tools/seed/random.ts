/** Random choices that one number decides: the same number gives the same people, and a bug can be looked at again. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** At least 0, less than 1 (mulberry32: quick, and good enough for what nobody has to guess). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number of at least 0, less than `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end)
  }

  is(probability: number): boolean {
    return this.next() < probability
  }

  of<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!
  }

  /** A moment between two, in ms. */
  between(from: number, to: number): number {
    return from + this.below(Math.max(1, to - from))
  }

  /** A UUIDv7 of a moment that ends in `seededEnding`, by which the next run knows what it may replace. */
  id(atMs: number): string {
    const time = atMs.toString(16).padStart(12, '0')
    const bits = (count: number) => this.below(2 ** count)
    const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0')
    return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(bits(12), 3)}-${hex(0x8000 | bits(14), 4)}-${hex(bits(16), 4)}${seededEnding}`
  }
}

/** What ids of seeded rows end in. An id made by the service does so once in four thousand million. */
export const seededEnding = '5eed5eed'
