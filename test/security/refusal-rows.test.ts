/**
 * A refused sign-in writes as much for an address with an account as for one without, so the time of the answer, which
 * grows with what is written, does not tell who has one.
 */
import { env } from 'cloudflare:workers'
import { expect } from 'vitest'
import { Caller } from '../support/caller.ts'
import { minute } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { it as base } from '../support/fixtures.ts'
import { captureLog } from '../support/log-lines.ts'
import { otherPassword } from '../support/person.ts'
import { setAttempts } from '../support/rows.ts'
import { startService } from '../support/service.ts'
import { rowsOf } from '../support/state.ts'

const it = base
  .extend('meter', async () => countCosts(env))
  .extend(
    'metered',
    async ({ service, meter }) =>
      new Caller(startService({ beside: service, env: { ...meter.bindings, MAIL_QUEUE: service.env.MAIL_QUEUE } })),
  )

it('a refused sign-in writes the same rows for a known and an unknown address', async ({
  service,
  metered,
  meter,
  ada,
  clock,
}) => {
  captureLog()
  const attempt = async (email: string) => {
    meter.take()
    const { status } = await metered.login({ email, password: otherPassword }).answer
    const { rowsWritten, statements } = meter.take()
    return { status, rowsWritten, statements }
  }
  // The first leaves an event, the tenth in a row warns the owner.
  for (let place = 1; place <= 10; place++) {
    const known = await attempt(ada.email)
    expect(known.status).toBe(401)
    expect(await attempt('nobody@example.com'), `refusal ${place}`).toEqual(known)
    clock.advance(2 * minute)
  }
  await service.deliver()
  const warnings = "template = 'sign_in_attempts'"
  const sent = (await rowsOf('emails', warnings))
    .map(({ recipient, status }) => `${String(recipient)} ${String(status)}`)
    .toSorted()
  expect(sent).toEqual([`${ada.email} sent`, 'nobody@example.com skipped'])
})

it.for(['pending', 'suspended'])(
  'a %s account is not warned of wrong passwords: its owner could do nothing',
  async (status, { service, people, admin, anonymous, inbox }) => {
    captureLog()
    const { email, id } =
      status === 'pending' ? await people.pending('eve@example.com') : await people.signUp('eve@example.com')
    if (status === 'suspended') await admin.suspend(id)
    await service.deliver()
    const before = inbox.all(email).length
    await setAttempts(email, 9)
    await anonymous.login({ email, password: otherPassword }).refused(401, 'invalid_credentials')
    await service.deliver()
    expect(await rowsOf('emails', "template = 'sign_in_attempts'")).toMatchObject([{ status: 'skipped' }])
    expect(inbox.all(email)).toHaveLength(before)
  },
)
