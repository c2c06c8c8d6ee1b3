/**
 * Whatever somebody can cause, an administrator and the owner included, can be caused again and again: at most five emails
 * of a kind go to one address in an hour, and twenty in a day. The act itself happens in any case.
 */
import { describe, expect } from 'vitest'
import { mailBudget } from '../../src/config/policy.ts'
import { type EmailTemplate, emailTemplates } from '../../src/services/mail/kinds.ts'
import { newEmail } from '../../src/services/mail/outbox.ts'
import { insertEmail } from '../../src/store/emails.ts'
import { connect } from '../../src/store/db.ts'
import type { Caller } from '../support/caller.ts'
import { type Clock, day, hour, second } from '../support/clock.ts'
import { contextOf } from '../support/context.ts'
import { it } from '../support/fixtures.ts'
import { type Person, goodPassword } from '../support/person.ts'
import type { People } from '../support/population.ts'
import type { Service } from '../support/service.ts'
import { rowsOf, write } from '../support/state.ts'

const email = 'ada@example.com'
const rounds = 8

interface Scene {
  service: Service
  clock: Clock
  people: People
  anonymous: Caller
  admin: Person
  moderator: Person
  ada: Person
}

/** Causes one email of the kind to ada, by calls of the API. Resets have a budget of their own, which must not end this. */
async function resetPassword({ service, people, anonymous }: Scene): Promise<void> {
  await write("update emails set budget = 'spared' where template = 'password_reset'")
  const token = await people.resetToken(email)
  await anonymous.completePasswordReset({ token, new_password: goodPassword })
  await service.deliver()
}

async function suspendAndReinstate({ moderator, ada }: Scene): Promise<void> {
  await moderator.suspend(ada, 'My own text, again and again')
  await moderator.reinstate(ada)
}

/** How to cause each kind, again and again. A kind that is missing here does not compile. */
const causes: Record<EmailTemplate, ((scene: Scene) => Promise<unknown>) | null> = {
  registration: ({ anonymous }) => anonymous.register({ email, password: goodPassword }),
  activation: ({ anonymous }) => anonymous.resendActivation(email),
  password_reset: ({ anonymous }) => anonymous.requestPasswordReset({ email }),
  password_changed: resetPassword,
  account_suspended: suspendAndReinstate,
  account_reinstated: suspendAndReinstate,
  role_changed: async ({ admin, ada }) => {
    await admin.assignRole(ada, 'MODERATOR')
    await admin.assignRole(ada, 'USER')
  },
  account_activated: async ({ people, anonymous, ada }) => {
    await write("update users set status = 'pending', activated_at = null where id = ?", ada.id)
    await write("update emails set budget = 'spared' where budget = 'activation'")
    await anonymous.activate({ token: await people.register(email), password: goodPassword })
  },
  set_password: async ({ admin, ada }) => {
    await write("update users set status = 'pending', activated_at = null where id = ?", ada.id)
    await admin.activateUser(ada)
  },
  session_reuse: async ({ clock, ada }) => {
    const session = await ada.signIn()
    await session.refresh()
    clock.advance(31 * second)
    await session.refresh().refused(401, 'refresh_token_reused')
  },
  email_change: async ({ ada }) => (await ada.signIn()).changeEmail(email).answer,
  email_change_notice: async ({ ada }) => (await ada.signIn()).changeEmail('ada.new@example.com').answer,
  // Once in three days, or once a day.
  email_changed: null,
  email_reverted: null,
  export_made: null,
  // Their causes take minutes each: shown in abuse.test.ts and new-sign-in.test.ts.
  sign_in_attempts: null,
  new_sign_in: null,
  // Their causes need factors: shown in factors.test.ts, factor-reset.test.ts and second-factor.test.ts in test/routes.
  factor_added: null,
  factor_removed: null,
  passkey_renamed: null,
  recovery_codes_renewed: null,
  recovery_code_used: null,
  passkey_doubted: null,
  second_factor_attempts: null,
  factors_reset: null,
  factor_code: null,
  // An account is deleted once, and the deletion erases every email to the address, so nothing is left to count.
  account_deleted: null,
}

/**
 * Strangers ask for these, and must not see by the time it takes whether an email was stored. The cause of the last one
 * empties the queue.
 */
const toldInVain = ['registration', 'activation', 'account_activated', 'password_reset', 'email_change']
const uncounted = [...toldInVain, 'password_changed']

const sentOf = (template: string) => rowsOf('emails', 'template = ? and recipient = ?', template, email)

describe('emails of the kind', () => {
  it.for(emailTemplates)(
    '%s are at most five an hour and twenty a day, whoever stores them',
    async (template, { service, clock }) => {
      const ctx = await contextOf(service)
      for (const params of [{}, { byAdministrator: true }] as const) {
        const start = (await rowsOf('emails')).length
        const perHour: number[] = []
        for (let turn = 0; turn < 5; turn++) {
          for (let time = 0; time < rounds; time++) {
            await insertEmail(connect(service.env.DB), newEmail(ctx, template, email, null, params))
          }
          perHour.push((await rowsOf('emails')).length - start)
          clock.advance(hour + second)
        }
        const { perHour: five, perDay } = mailBudget
        expect(perHour).toEqual([five, 2 * five, 3 * five, perDay, perDay])
        clock.advance(day)
      }
    },
  )

  it.for(emailTemplates.filter((template) => causes[template] !== null))(
    '%s are at most five an hour by calls of the API, and the queue hears of no other',
    async (template, { service, clock, people, anonymous, admin, moderator, ada }) => {
      await service.deliver()
      clock.advance(2 * day)
      const fresh = { admin: await admin.signIn(), moderator: await moderator.signIn() }
      const scene = { service, clock, people, anonymous, ada, ...fresh }
      const before = (await sentOf(template)).length
      const storedBefore = (await rowsOf('emails')).length - service.queued.length
      for (let time = 0; time < rounds; time++) await causes[template]!(scene)
      expect(await sentOf(template)).toHaveLength(before + mailBudget.perHour)
      const newlyStored = (await rowsOf('emails')).length - storedBefore
      if (!uncounted.includes(template)) expect(service.queued).toHaveLength(newlyStored)
    },
  )
})
