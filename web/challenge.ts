/**
 * A challenge of Cloudflare Turnstile, which tells people from programs. Its script and frame are all that these pages
 * load from another origin: only where a form needs them, and only when the operator has a site key.
 */
import { turnstile } from './settings.ts'
import { language } from './texts/language.ts'

/** The form that the token is for. The service refuses a token that was made for another. */
export type ChallengeAction = 'register' | 'login' | 'password_reset'

/** The challenge could not be loaded or solved. */
export class ChallengeError extends Error {
  override name = 'ChallengeError'
}

interface Turnstile {
  render: (place: HTMLElement, options: object) => string | null | undefined
  reset: (id: string) => void
  remove: (id: string) => void
}

const loadDeadlineMs = 15_000
/** People may have to do something before the challenge is solved. */
const solveDeadlineMs = 120_000
/** Turnstile's own width, in pixels. */
const smallestFlexibleWidth = 300

let loading: Promise<Turnstile> | undefined

/** Loads the script once. After a failure the next call tries again. */
function loadTurnstile(url: string): Promise<Turnstile> {
  loading ??= new Promise<Turnstile>((resolve, reject) => {
    const script = document.createElement('script')
    const fail = () => {
      loading = undefined
      script.remove()
      reject(new ChallengeError())
    }
    const timer = setTimeout(fail, loadDeadlineMs)
    script.addEventListener('error', fail)
    script.addEventListener('load', () => {
      clearTimeout(timer)
      const { turnstile: api } = globalThis as { turnstile?: Turnstile }
      if (api) resolve(api)
      else fail()
    })
    script.src = url
    document.head.append(script)
  })
  return loading
}

/** One widget and its tokens, each of which is good once. */
export class Challenge {
  readonly #action: ChallengeAction
  #place: HTMLElement | undefined
  #api: Turnstile | undefined
  #id: string | null | undefined
  #token: string | undefined
  #isRunning = false
  #waiting: { resolve: (token: string) => void; reject: (error: unknown) => void } | undefined

  constructor(action: ChallengeAction) {
    this.#action = action
  }

  /** Draws the widget and begins. */
  mount(place: HTMLElement): void {
    this.#place = place
    void this.renew()
  }

  unmount(): void {
    if (this.#id) this.#api?.remove(this.#id)
    this.#id = undefined
    this.#place = undefined
    this.#isRunning = false
  }

  /**
   * A token that was not given out before. Waits until the widget is mounted and the challenge is solved.
   *
   * @throws {ChallengeError} when it cannot be loaded or solved, or after two minutes
   */
  async takeToken(): Promise<string> {
    const token = this.#token
    this.#token = undefined
    if (token !== undefined) return token
    const solved = new Promise<string>((resolve, reject) => (this.#waiting = { resolve, reject }))
    const timer = setTimeout(() => this.#fail(), solveDeadlineMs)
    if (!this.#isRunning) void this.renew()
    return solved.finally(() => clearTimeout(timer))
  }

  /** Begins again, because the last token is spent. */
  async renew(): Promise<void> {
    if (!turnstile || !this.#place) return
    this.#isRunning = true
    this.#token = undefined
    try {
      this.#api = await loadTurnstile(turnstile.scriptUrl)
      if (this.#id) this.#api.reset(this.#id)
      else if (this.#place) this.#id = this.#api.render(this.#place, this.#options(this.#place, turnstile.siteKey))
    } catch {
      this.#fail()
    }
  }

  #options(place: HTMLElement, siteKey: string): object {
    return {
      sitekey: siteKey,
      action: this.#action,
      language,
      size: place.clientWidth < smallestFlexibleWidth ? 'compact' : 'flexible',
      callback: (token: string) => this.#solve(token),
      'expired-callback': () => (this.#token = undefined),
      // True: it is dealt with, and need not be logged.
      'error-callback': () => (this.#fail(), true),
    }
  }

  #solve(token: string): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    // Turnstile replaces a token that expires before it is used.
    this.#isRunning = waiting === undefined
    if (waiting) waiting.resolve(token)
    else this.#token = token
  }

  #fail(): void {
    this.#isRunning = false
    this.#waiting?.reject(new ChallengeError())
    this.#waiting = undefined
  }
}
