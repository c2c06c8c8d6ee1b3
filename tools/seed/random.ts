/** Random choices from a seed: the same seed gives the same people, so that a bug can be reproduced. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** At least 0, less than 1 (mulberry32: fast; not for secrets). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from 0 to `end` - 1. */
  below(end: number): number {
    return Math.floor(this.next() * end)
  }

  is(probability: number): boolean {
    return this.next() < probability
  }

  of<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!
  }

  /** A time between two others, in ms. */
  between(from: number, to: number): number {
    return from + this.below(Math.max(1, to - from))
  }

  /**
   * A UUIDv7 that ends in `seededEnding`. The next run may replace rows with such ids.
   *
   * @param shard for the id of a user or a session, see `uuidv7` in src/crypto/random.ts
   */
  id(atMs: number, shard = this.below(2 ** 12)): string {
    const time = atMs.toString(16).padStart(12, '0')
    const bits = (count: number) => this.below(2 ** count)
    const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0')
    return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(shard, 3)}-${hex(0x8000 | bits(14), 4)}-${hex(bits(16), 4)}${seededEnding}`
  }
}

/** The end of every seeded id. One in four billion ids of the service ends in it by chance. */
export const seededEnding = '5eed5eed'
