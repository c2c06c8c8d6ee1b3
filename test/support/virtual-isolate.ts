/**
 * An isolate in virtual time: one thread, on which work takes time, and requests that wait. A request goes on when its wait
 * is over and the thread is free, in the order in which the waits end.
 */
export class VirtualIsolate {
  /** Since the start. Nobody sets it back. */
  elapsedMs = 0
  /** How far the clock was set, in either direction. */
  skewMs = 0
  #waits: { untilMs: number; goOn: () => void }[] = []

  readonly now = (): Date => new Date(Date.UTC(2026, 10, 22, 12) + this.elapsedMs + this.skewMs)

  /** What one request sees. Once it is cancelled, no wait of it ever ends. */
  request() {
    let isCancelled = false
    const letOthersRun = (ms: number) =>
      new Promise<void>((resolve) => {
        if (!isCancelled) this.#waits.push({ untilMs: this.elapsedMs + ms, goOn: () => isCancelled || resolve() })
      })
    return { now: this.now, letOthersRun, cancel: () => void (isCancelled = true) }
  }

  /** Work that lets nobody else run. */
  block(ms: number): void {
    this.elapsedMs += ms
  }

  /** Something that happens later, whatever the requests do. */
  at(ms: number, act: () => void): void {
    this.#waits.push({ untilMs: ms, goOn: act })
  }

  /** Runs until nobody waits any more. */
  async run(maxSteps = 20_000): Promise<void> {
    for (let step = 0; step < maxSteps; step++) {
      // What follows a wait.
      for (let microtasks = 0; microtasks < 30; microtasks++) await Promise.resolve()
      const [next, ...others] = this.#waits.toSorted((a, b) => a.untilMs - b.untilMs)
      if (!next) return
      this.#waits = others
      this.elapsedMs = Math.max(this.elapsedMs, next.untilMs)
      next.goOn()
    }
    throw new Error(`somebody still waits after ${maxSteps} steps`)
  }
}
