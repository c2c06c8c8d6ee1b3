/** Runs in a page: everything that the client asks of the browser goes through here, and can fail at any call. */

/** The functions of the browser that the client calls. */
export type Operation =
  | 'localStorage'
  | 'getItem'
  | 'setItem'
  | 'removeItem'
  | 'locks'
  | 'lock request'
  | 'channel'
  | 'channel listener'
  | 'channel message'
  | 'channel end'
  | 'digest'
  | 'fetch'

/**
 * How a call fails. `does nothing` reports a success that never happened; `is stolen` takes a granted lock away; the two
 * deaths cut off the page, before or after the call, as closing the tab does.
 */
export type Failure =
  | 'throws'
  | 'rejects'
  | 'does nothing'
  | 'is stolen'
  | 'loses the answer'
  | 'breaks off'
  | 'dies before'
  | 'dies after'

export interface Fault {
  operation: Operation
  failure: Failure
  /** The first call that fails, and whether all later ones do, too. */
  from: number
  isLasting: boolean
}

/** How far ahead of the real time the clock of this page is. */
export const clock = { aheadMs: 0 }

let fault: Fault | undefined
let metAt: Promise<void>
let meet: () => void
let isMet = false
let isDead = false
let calls = 0
let allCalls = 0
let turningPoint: { at: number; act: () => void } | undefined
/** The codes of the service's 401 answers. */
const refusals: string[] = []

/** From now on calls fail as the fault says. */
export function breakPlatform(next: Fault): void {
  fault = next
  calls = 0
  isMet = false
  metAt = new Promise((resolve) => (meet = resolve))
}

/** Does something in the middle of the call `at`, counted over all operations from now on. */
export function interrupt(at: number, act: () => void): void {
  allCalls = 0
  isMet = false
  turningPoint = { at, act }
}

/** Returns whether the fault or the interruption has occurred. */
export function mendPlatform(): boolean {
  fault = turningPoint = undefined
  return isMet
}

/** Waits for the fault. */
export const met = () => metAt

/** The refusals since the last call. */
export const takeRefusals = () => refusals.splice(0)

function failureOf(operation: Operation): Failure | undefined {
  if (turningPoint && allCalls++ === turningPoint.at) {
    isMet = true
    turningPoint.act()
  }
  if (fault?.operation !== operation) return undefined
  const call = calls++
  if (call < fault.from || (call > fault.from && !fault.isLasting)) return undefined
  isMet = true
  if (fault.failure === 'dies before') isDead = true
  if (fault.failure !== 'dies after') meet()
  return fault.failure
}

/** Cuts the page off after a call. */
function die(): void {
  isDead = true
  meet()
}

const refusal = () => new DOMException('The operation is insecure.', 'SecurityError')
const never = () => new Promise<never>(() => undefined)

/** `go` makes the real call, and is told of the failures that only its kind has. */
function perform(operation: Operation, go: (failure?: Failure) => unknown, isAsynchronous = false): unknown {
  const failure = failureOf(operation)
  if (isDead) return isAsynchronous ? never() : null
  if (failure === 'throws') throw refusal()
  if (failure === 'rejects') return Promise.reject(refusal())
  if (failure === 'does nothing') return null
  const result = go(failure)
  if (failure !== 'dies after') return result
  if (result instanceof Promise) return result.then(die).then(never)
  die()
  return result
}

type Method = (this: unknown, ...given: unknown[]) => unknown

function methodOf(owner: object, name: string): Method {
  return Reflect.get(owner, name) as Method
}

function guard(owner: object, name: string, operation: Operation, isAsynchronous = false): void {
  const real = methodOf(owner, name)
  const method: Method = function (...given) {
    return perform(operation, () => real.apply(this, given), isAsynchronous)
  }
  Reflect.set(owner, name, method)
}

function guardProperty(owner: object, name: string, operation: Operation): void {
  const value: unknown = Reflect.get(owner, name)
  Object.defineProperty(owner, name, { configurable: true, get: () => perform(operation, () => value) })
}

function guardChannels(): void {
  const Real = BroadcastChannel
  const Guarded = function (name: string) {
    return perform('channel', () => new Real(name))
  }
  Object.assign(globalThis, { BroadcastChannel: Guarded })
  guard(Real.prototype, 'addEventListener', 'channel listener')
  guard(Real.prototype, 'postMessage', 'channel message')
  guard(Real.prototype, 'close', 'channel end')
}

function guardLocks(): void {
  const real = methodOf(LockManager.prototype, 'request')
  const request: Method = function (name, options, work) {
    const robbed = (lock: unknown) => {
      if (lock) void real.call(this, name, { steal: true }, () => undefined)
      return (work as Method)(lock)
    }
    const go = (failure?: Failure) => real.call(this, name, options, failure === 'is stolen' ? robbed : work)
    return perform('lock request', go, true)
  }
  Reflect.set(LockManager.prototype, 'request', request)
  guardProperty(navigator, 'locks', 'locks')
}

function guardFetch(): void {
  const real = globalThis.fetch
  const go = async (given: Parameters<typeof fetch>, failure?: Failure) => {
    const response = await real(...given)
    if (response.status === 401) refusals.push(((await response.clone().json()) as { code: string }).code)
    if (failure === 'loses the answer') throw new TypeError('Failed to fetch')
    if (failure !== 'breaks off') return response
    const body = new ReadableStream({ start: (controller) => controller.error(new TypeError('network error')) })
    return new Response(body, { status: response.status })
  }
  globalThis.fetch = (...given) => perform('fetch', (failure) => go(given, failure), true) as Promise<Response>
}

/** Puts itself in front of the browser. */
export function guardPlatform(): void {
  const now = Date.now.bind(Date)
  Date.now = () => now() + clock.aheadMs
  guardProperty(globalThis, 'localStorage', 'localStorage')
  for (const operation of ['getItem', 'setItem', 'removeItem'] as const) guard(Storage.prototype, operation, operation)
  guard(SubtleCrypto.prototype, 'digest', 'digest', true)
  guardChannels()
  guardLocks()
  guardFetch()
}
