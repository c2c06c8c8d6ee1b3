/** The time that the Worker under test sees. It stands still until a test moves it. */
export class Clock {
  #now = Date.UTC(2026, 10, 22, 12)

  readonly now = (): Date => new Date(this.#now)

  advance(ms: number): void {
    this.#now += ms
  }
}

export const second = 1000
export const minute = 60 * second
export const hour = 60 * minute
export const day = 24 * hour
