/** Bindings and a network of which one call fails: the n-th, whatever it goes to. */
import { vi } from 'vitest'

/**
 * How a call fails: nothing was done, or it was done and the answer got lost. `rolled_back` is for a batch: its last
 * statement fails, and the database itself has to undo the others.
 */
export type FaultMode = 'not_done' | 'answer_lost' | 'rolled_back'

export interface Fault {
  /** From 1. */
  call: number
  mode: FaultMode
}

export type Target = 'd1' | 'd1.batch' | 'kv.get' | 'kv.put' | 'queue' | 'fetch'

/** What there is to go wrong in a call of this kind. */
export function modesOf(target: Target): FaultMode[] {
  if (target === 'kv.get') return ['not_done']
  return target === 'd1.batch' ? ['not_done', 'rolled_back', 'answer_lost'] : ['not_done', 'answer_lost']
}

/** In the words of the platform. An overloaded D1 has done nothing and must not be asked again at once. */
const words: Record<Target, string> = {
  d1: 'D1_ERROR: D1 DB is overloaded. Requests queued for too long.',
  'd1.batch': 'D1_ERROR: D1 DB is overloaded. Requests queued for too long.',
  'kv.get': 'KV GET failed: 500 Internal Server Error',
  'kv.put': 'KV PUT failed: 429 Too Many Requests',
  queue: 'Queue send failed: Internal Server Error',
  fetch: 'Network connection lost.',
}

/**
 * @param fault without it nothing fails and the calls are only written down
 * @returns the bindings, and every call there was so far
 */
export function faultyBindings(env: Env, fault?: Fault) {
  const calls: Target[] = []

  async function pass<T>(target: Target, act: () => Promise<T>, rollBack: () => Promise<unknown> = act): Promise<T> {
    calls.push(target)
    if (calls.length !== fault?.call) return act()
    if (fault.mode === 'answer_lost') {
      await act()
      throw new Error(target.startsWith('d1') ? 'D1_ERROR: Network connection lost.' : words[target])
    }
    if (fault.mode === 'rolled_back') await rollBack()
    throw new Error(words[target])
  }

  const inner = new WeakMap<object, D1PreparedStatement>()
  function faulty(statement: D1PreparedStatement): D1PreparedStatement {
    const wrapped = {
      bind: (...values: unknown[]) => faulty(statement.bind(...values)),
      run: () => pass('d1', () => statement.run()),
      all: () => pass('d1', () => statement.all()),
      raw: () => pass('d1', () => statement.raw()),
    } as unknown as D1PreparedStatement
    inner.set(wrapped, statement)
    return wrapped
  }

  const DB = {
    prepare: (query: string) => faulty(env.DB.prepare(query)),
    batch(statements: D1PreparedStatement[]) {
      const plain = statements.map((statement) => inner.get(statement)!)
      const failing = env.DB.prepare('insert into emails (id) values (null)')
      return pass(
        'd1.batch',
        () => env.DB.batch(plain),
        () => env.DB.batch([...plain, failing]),
      )
    },
  } as unknown as D1Database

  const kv = env.REVOCATIONS
  const REVOCATIONS = {
    get: (key: string) => pass('kv.get', () => kv.get(key)),
    put: (key: string, value: string, options?: KVNamespacePutOptions) =>
      pass('kv.put', () => kv.put(key, value, options)),
  } as unknown as KVNamespace

  const queue = env.MAIL_QUEUE
  const MAIL_QUEUE = {
    send: (message: unknown) => pass('queue', () => queue.send(message)),
    sendBatch: (messages: Iterable<MessageSendRequest>) => pass('queue', () => queue.sendBatch(messages)),
  } as unknown as Env['MAIL_QUEUE']

  /** Puts the outgoing requests of the test under the same fault. */
  function interceptFetch(): void {
    const original = vi.mocked(globalThis.fetch).getMockImplementation()!
    vi.mocked(globalThis.fetch).mockImplementation((...input) => pass('fetch', () => original(...input)))
  }

  return { bindings: { DB, REVOCATIONS, MAIL_QUEUE }, calls, interceptFetch }
}
