/** What the Worker makes for a request or a job, for tests of what lies below both. */
import { type Ctx, createContext } from '../../src/context.ts'
import type { Clock } from './clock.ts'
import { type Service, cheapWork } from './service.ts'

/** @param given bindings and variables in place of those of the service */
export function contextOf(service: Service, given: Partial<Env> = {}): Promise<Ctx> {
  return contextAt(service.clock, { ...service.env, ...given })
}

export function contextAt({ now }: Pick<Clock, 'now'>, env: Env): Promise<Ctx> {
  const atOnce = async () => undefined
  return createContext(
    env,
    { now, sleep: atOnce, letOthersRun: atOnce, random: () => 0.5, work: cheapWork },
    { requestId: 'test', ip: null, country: null, userAgent: null },
    { waitUntil: () => undefined },
  )
}
