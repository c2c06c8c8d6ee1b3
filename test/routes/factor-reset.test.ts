/** What administrators see of second factors, and how they help somebody who lost them. */
import { env } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import { expectProblem } from '../support/answers.ts'
import { countCosts } from '../support/counting.ts'
import { enrolApp } from '../support/factors.ts'
import { it } from '../support/fixtures.ts'
import { givePasskey } from '../support/passkeys.ts'
import { expectEnded } from '../support/person.ts'
import { insertAttempts } from '../support/rows.ts'
import { startService } from '../support/service.ts'
import { nothing, observe, rowOf, rowsOf } from '../support/state.ts'
import { proveIn, strengths } from '../support/strength.ts'

describe('DELETE /users/{id}/factors', () => {
  it('removes every factor, ends every session, and tells the owner why', async ({
    service,
    admin,
    ada,
    eve,
    inbox,
  }) => {
    await enrolApp(ada)
    await givePasskey(ada)
    await enrolApp(eve)
    const other = await ada.signIn().catch(() => ada)
    const reason = 'Lost phone <b>'
    const { answer, effects } = await observe(service, () => admin.resetFactors(ada, reason))
    expect(answer.status).toBe(204)
    expect(effects).toMatchObject({
      rows: { passkeys: '-1', totps: '-1', recovery_codes: '-8', users: '~1', audit_events: '+1', emails: '+1' },
      events: [{ type: 'user.factors_reset', actor: admin.id, user: ada.id, detail: { reason } }],
      mails: ['ada@example.com: Second factors removed from your Postern account'],
    })
    expect(effects.revoked).toContain(ada.sessionId)
    expect(inbox.newest(ada).text).toContain(`Reason: ${reason}`)
    expect((await rowOf('users', 'id = ?', ada.id))['factors_id']).toBeNull()
    for (const person of [ada, other]) await expectEnded(person)
    await ada.signIn()
    // Nobody else lost anything.
    expect(await rowsOf('totps')).toHaveLength(1)
    expect(await rowsOf('recovery_codes')).toHaveLength(8)
  })

  it('does nothing to a user without factors, and refuses the own account', async ({ service, admin, ada }) => {
    const { answer, effects } = await observe(service, () => admin.resetFactors(ada))
    expect(answer.status).toBe(204)
    expect(effects).toEqual(nothing)
    await enrolApp(admin)
    const own = await observe(service, () => admin.resetFactors(admin))
    expectProblem(own.answer, 409, 'own_account')
    expect(own.effects).toEqual(nothing)
    await admin.resetFactors('01936f6e-0000-7000-8000-000000000000').refused(404, 'not_found')
  })

  it('leaves the owner no budget of wrong codes to wait for', async ({ admin, ada }) => {
    await enrolApp(ada)
    await insertAttempts([
      { key: `factor:${ada.id}`, count: 100 },
      { key: `mail-code:${ada.id}:${ada.sessionId}`, count: 5 },
      { key: 'factor:x' },
    ])
    await admin.resetFactors(ada)
    expect((await rowsOf('attempt_counters')).map(({ key }) => key)).toEqual(['factor:x'])
  })
})

describe('what administrators see', () => {
  it('is which kinds of factor a user has, in every answer about one, and never more', async ({ admin, ada }) => {
    const factorsOf = async () => {
      const { users } = await admin.users({ email: 'ada' })
      const acts = [
        await admin.user(ada),
        await admin.moderateProfile(ada, { bio: `${Math.random()}` }),
        await admin.moderateProfile(ada, {}),
        await admin.suspend(ada),
        await admin.reinstate(ada),
        await admin.assignRole(ada, 'USER'),
        await admin.activateUser(ada),
        ...users,
        ...(await admin.users()).users.filter(({ id }) => id === ada.id),
        ...(await admin.users({ role: 'USER' })).users,
      ]
      const found = new Set(acts.map(({ factors }) => factors.join()))
      expect(found.size).toBe(1)
      return acts[0]!.factors
    }
    expect(await factorsOf()).toEqual([])
    // The suspension ended her sessions.
    await enrolApp(await ada.signIn())
    await proveIn(admin, strengths.code)
    expect(await factorsOf()).toEqual(['totp'])
    await givePasskey(ada)
    expect(await factorsOf()).toEqual(['passkey', 'totp'])
    const { users } = await admin.users()
    expect(JSON.stringify(users)).not.toMatch(/secret|credential|digest|test-data/)
    expect(await admin.me()).not.toHaveProperty('factors')
  })

  it('costs no further row for users without a factor, and two for those with one', async ({
    service,
    admin,
    ada,
    eve: _eve,
  }) => {
    const meter = countCosts(env)
    const metered = startService({ beside: service, env: meter.bindings })
    const read = async () => {
      await admin.at(metered).users()
      return meter.take().rowsRead
    }
    const before = await read()
    await enrolApp(ada)
    expect((await read()) - before).toBeLessThanOrEqual(2)
  })
})
