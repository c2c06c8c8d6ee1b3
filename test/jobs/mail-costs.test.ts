/** How many rows an email writes from its cause to its arrival, as D1 bills it: a mail is the dearest thing we do often. */
import { env } from 'cloudflare:workers'
import { expect } from 'vitest'
import { uuidv7 } from '../../src/crypto/random.ts'
import { connect } from '../../src/store/db.ts'
import { announceAtOf, insertEmail } from '../../src/store/emails.ts'
import { expectOk } from '../support/answers.ts'
import { countCosts } from '../support/counting.ts'
import { it as base } from '../support/fixtures.ts'
import { consume, loseConnection, scriptResend } from '../support/mail-consumer.ts'
import { goodPassword } from '../support/person.ts'
import { type Service, startService } from '../support/service.ts'
import { rowOf, rowsOf } from '../support/state.ts'
import { eventOf, tell, webhookSecret } from '../support/webhooks.ts'

const webhookEnv = { RESEND_WEBHOOK_SECRET: webhookSecret }

/** What is asked of `metered` is counted. */
const it = base
  .extend('meter', async () => countCosts(env))
  .extend('metered', async ({ service, meter }) =>
    startService({ env: { ...webhookEnv, ...meter.bindings }, beside: service }),
  )

const addresses = (count: number) => Array.from({ length: count }, (_, place) => `person-${place}@example.com`)

/** Stores emails without a link, as an act does that causes them. */
async function store(DB: D1Database, { clock }: Service, userId: string, recipients: string[]) {
  const now = clock.now()
  const empty = { inDoubtSince: null, linkedAt: null, batchId: null, batchPlace: null, providerId: null, fate: null }
  const ended = { deliveredAt: null, lastError: null, finishedAt: null }
  const rows = recipients.map((recipient) => ({
    id: uuidv7(now),
    template: 'account_activated',
    recipient,
    userId,
    budget: 'account_activated',
    params: {},
    status: 'queued' as const,
    attempts: 0,
    dueAt: now,
    announceAt: announceAtOf(now),
    ...empty,
    ...ended,
  }))
  for (const row of rows) await insertEmail(connect(DB), row)
  return rows
}

const ways = [
  { way: 'by itself', count: 1 },
  { way: 'with 19 others', count: 20 },
]

it.for(ways)(
  'an email that is sent $way and arrives writes 8 rows',
  async ({ count }, { metered, meter, ada, inbox }) => {
    meter.take()
    const rows = await store(meter.bindings.DB, metered, ada.id, addresses(count))
    expect(meter.take().rowsWritten, 'stored').toBe(4 * count)
    expect(await consume(metered, rows)).toEqual(rows.map(() => 'acked'))
    const { rowsWritten, roundTrips } = meter.take()
    expect({ rowsWritten, roundTrips }, 'claimed and settled').toEqual({ rowsWritten: 3 * count, roundTrips: 2 })
    for (const { recipient } of rows) {
      expectOk(await tell(metered, eventOf('delivered', inbox.newest(recipient))))
      expect(meter.take().rowsWritten, 'its fate').toBe(1)
    }
  },
)

it.for(ways)(
  'a repetition of an email that is sent $way writes 4 rows more',
  async ({ count }, { service, metered, meter, ada }) => {
    const rows = await store(meter.bindings.DB, metered, ada.id, addresses(count))
    meter.take()
    scriptResend(loseConnection)
    await consume(metered, rows)
    expect(meter.take().rowsWritten, 'claimed and postponed').toBe(4 * count)
    service.clock.advance(60_000)
    await consume(metered, rows)
    expect(meter.take().rowsWritten, 'claimed and settled').toBe(3 * count)
  },
)

it('an email whose account is known only at delivery writes a row for its link, and its link', async ({
  anonymous,
  metered,
  meter,
  inbox,
}) => {
  const email = 'ada@example.com'
  await anonymous.at(metered).register({ email, password: goodPassword })
  meter.take()
  await consume(metered, [{ id: (await rowOf('emails'))['id'] }])
  // Claimed 2, linked 1, settled 1 and the index by user 1; the link itself is a row and an entry of its index.
  expect(meter.take().rowsWritten).toBe(5 + 2)
  expectOk(await tell(metered, eventOf('delivered', inbox.newest(email))))
  expect(meter.take().rowsWritten).toBe(1)
})

it('a row keeps no parameters once its email is sent or has nothing to say, as it needs them no more', async ({
  service,
  ada,
  people,
}) => {
  await ada.requestPasswordReset({ email: ada.email })
  await ada.requestPasswordReset({ email: 'nobody@example.com' })
  expect((await rowsOf('emails', "status = 'queued'")).map(({ params }) => params)).not.toContain('{}')
  await service.deliver()
  await people.register('bob@example.com')
  const finished = await rowsOf('emails')
  expect(new Set(finished.map(({ status }) => status))).toEqual(new Set(['sent', 'skipped']))
  expect(new Set(finished.map(({ params }) => params))).toEqual(new Set(['{}']))
})
