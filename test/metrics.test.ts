/** The points for Analytics Engine: one for each thing that happened, and nothing about a person in any of them. */
import { env } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import type { PointKind } from '../src/metrics.ts'
import { pointColumns } from '../src/point-columns.ts'
import { problems } from '../src/problems.ts'
import { reasons } from '../src/reasons.ts'
import { emailFates, emailStatuses } from '../src/store/schema/emails.ts'
import { flows } from './security/flows.ts'
import { callOperation } from './support/api.ts'
import { serveBreachList } from './support/breach-list.ts'
import { minute } from './support/clock.ts'
import { description } from './support/description.ts'
import { it } from './support/fixtures.ts'
import { captureLog } from './support/log-lines.ts'
import { loseConnection, refuse, scriptResend } from './support/mail-consumer.ts'
import { goodPassword, otherPassword } from './support/person.ts'
import { type Service, startService } from './support/service.ts'
import { sizedD1 } from './support/sized-d1.ts'
import { snapshot } from './support/state.ts'
import { scriptTurnstile } from './support/turnstile.ts'
import { webhookSecret } from './support/webhooks.ts'

/** A service with a dataset, and the points that it writes. */
function startMeasured(beside: Service, variables: Partial<Env> = {}) {
  const points: AnalyticsEngineDataPoint[] = []
  const METRICS = { writeDataPoint: (point: AnalyticsEngineDataPoint) => void points.push(point) }
  const service = startService({
    beside,
    env: { RESEND_WEBHOOK_SECRET: webhookSecret, ...variables, METRICS },
  })
  /** The points of a kind as text: subject, outcome and reason. */
  const of = (kind: PointKind) =>
    points
      .filter(({ blobs }) => blobs?.[0] === kind)
      .map(({ blobs }) => (blobs as string[]).slice(1).filter(Boolean).join(' '))
  return { service, points, of }
}

/** Everything that a point may say. */
const jobs = ['requeue', 'gauge', 'cleanup', 'archive']
const words = new Set<unknown>([
  ...Object.keys(pointColumns),
  ...Object.keys(problems),
  ...reasons,
  ...emailStatuses,
  ...emailFates,
  ...jobs,
  '',
  'ok',
  'unavailable',
  'dead_letter',
  'in_doubt_too_long',
])
/** A route with its method, the name of a template, or a reason of Resend. */
const isPattern = (text: string) => /^[A-Z]+ (\/[a-z.-]+|\/:id|\/\*)+$/.test(text) || /^[a-z_]{1,64}$/.test(text)

describe('the points', () => {
  it.for(flows)(
    'of $name hold words of the code and numbers alone',
    async (flow, { service: whole, people, anonymous }) => {
      captureLog()
      const { service, points, of } = startMeasured(whole, flow.outside?.env)
      scriptTurnstile(() => Response.json({ success: true, hostname: 'accounts.example.com' }))
      serveBreachList([])
      const [operation, input] = await flow.prepare({ service: whole, people, anonymous })
      await callOperation(service, operation, input).answer
      await service.deliver()
      expect(of('request')).toHaveLength(1)
      for (const { indexes, blobs, doubles } of points) {
        const texts = blobs as string[]
        expect(texts).toHaveLength(4)
        expect(texts.filter((text) => !words.has(text) && !isPattern(text))).toEqual([])
        expect(indexes).toEqual([`${texts[0]} ${texts[2]}`])
        expect(doubles).toHaveLength(pointColumns[texts[0] as PointKind].length)
        expect(doubles!.every((number) => Number.isFinite(number))).toBe(true)
      }
      // No id, address, name or text of any row.
      const said = JSON.stringify(points)
      for (const rows of (await snapshot()).values()) {
        for (const row of rows.values()) {
          const values = [row['id'], row['email'], row['recipient'], row['ip'], row['user_agent'], row['first_name']]
          for (const value of values) if (typeof value === 'string' && value !== '') expect(said).not.toContain(value)
        }
      }
    },
  )

  it('tell sign-ins, refusals by reason, lock-outs and thefts apart', async ({ service: whole, ada }) => {
    captureLog()
    const { service, of } = startMeasured(whole)
    const measured = ada.at(service)
    const login = (email: string, password: string) => measured.login({ email, password }).answer
    await login(ada.email, goodPassword)
    await login('nobody@example.com', goodPassword)
    for (let attempt = 0; attempt < 6; attempt++) await login(ada.email, otherPassword)
    await measured.refresh()
    service.clock.advance(minute)
    await measured.refresh().refused(401, 'refresh_token_reused')
    expect(of('request')).toEqual([
      'POST /auth/login ok',
      'POST /auth/login invalid_credentials unknown_address',
      ...Array<string>(5).fill('POST /auth/login invalid_credentials wrong_password'),
      'POST /auth/login rate_limited password_attempts',
      'POST /auth/refresh ok',
      expect.stringMatching(/^POST \/auth\/refresh refresh_token_reused/),
    ])
  })

  it('count what D1 was asked, and how long its answers took', async ({ service: whole, ada, clock }) => {
    const slow = {
      prepare: (sql: string) => env.DB.prepare(sql),
      batch: async (statements: D1PreparedStatement[]) => (clock.advance(40), env.DB.batch(statements)),
    } as D1Database
    const { service, points } = startMeasured(whole, { DB: slow })
    captureLog()
    await ada.at(service).refresh()
    const [{ blobs, doubles }] = points as [AnalyticsEngineDataPoint]
    expect(blobs).toEqual(['request', 'POST /auth/refresh', 'ok', ''])
    expect(doubles!.toSpliced(1, 1)).toEqual([200, 1, 40])
  })

  it('have one for each state of emails and for each job, and the size of the database', async ({
    service: whole,
    anonymous,
  }) => {
    captureLog()
    const { service, points, of } = startMeasured(whole, { DB: sizedD1(env.DB, { bytes: 8_100_000_000 }) })
    for (const name of ['a', 'b', 'c']) {
      await anonymous.at(service).register({ email: `${name}@example.com`, password: goodPassword })
    }
    const jobsOfMail = service.queued.map(({ id }) => id)
    expect(jobsOfMail).toHaveLength(3)
    scriptResend(refuse(429, 'rate_limit_exceeded'), loseConnection)
    await service.deliver()
    expect(of('mail')).toEqual(['registration queued rate_limit_exceeded'])
    expect(points.at(-1)!.doubles).toEqual([3])
    await service.runCron('*/10 * * * *')
    expect(of('gauge')).toEqual([''])
    expect(points.find(({ blobs }) => blobs![0] === 'gauge')!.doubles).toEqual([8_100_000_000, 3, 0, 0, 0, 0])
    expect(of('job')).toEqual(['gauge ok'])
  })

  it('are optional: without a dataset, calls are answered as usual', async ({ ada }) => {
    expect(ada.service.env).not.toHaveProperty('METRICS')
    await ada.me()
  })

  it('name every route of the API', () => {
    const routes = Object.keys(description.paths).map((path) => `GET ${path.replace(/\{\w+\}/g, ':id')}`)
    expect(routes.filter((route) => !isPattern(route))).toEqual([])
  })
})
