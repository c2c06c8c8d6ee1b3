/**
 * Pre-hijacking: an attacker registers the address of somebody else first, and waits. Whoever registered, how often, and
 * however the account becomes active: no password that the attacker chose ever opens it, and the owner of the mailbox gets
 * in in the end.
 */
import { describe, expect } from 'vitest'
import { mailBudget } from '../../src/config/policy.ts'
import { roles } from '../../src/permissions.ts'
import type { Caller } from '../support/caller.ts'
import { type Clock, day, hour } from '../support/clock.ts'
import { it } from '../support/fixtures.ts'
import { type Inbox, linkTokenIn } from '../support/inbox.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import type { Service } from '../support/service.ts'
import { rowOf, write } from '../support/state.ts'

const email = 'victim@example.com'
const attackers = { email, password: otherPassword, first_name: 'Mallory', last_name: 'Attacker', locale: 'eo' }
const owners = { email, password: goodPassword, first_name: 'Vera', last_name: 'Owner', locale: 'en-GB' }
const reset = 'A new password that the owner chose'

interface Scene {
  service: Service
  clock: Clock
  inbox: Inbox
  anonymous: Caller
  admin: Person
}

const uses = (count: number) => Array.from({ length: count })

/** Who registers the address, and what is left of its budget of emails then. */
const registrations: Record<string, (scene: Scene) => Promise<void>> = {
  'the attacker registers': async ({ anonymous }) => void (await anonymous.register(attackers)),
  'the attacker registers thrice': async ({ anonymous }) => {
    for (const _ of uses(3)) await anonymous.register(attackers)
  },
  'the owner registers': async ({ anonymous }) => void (await anonymous.register(owners)),
  'the attacker registers, then the owner': async ({ anonymous }) => {
    await anonymous.register(attackers)
    await anonymous.register(owners)
  },
  'the owner registers, then the attacker': async ({ anonymous }) => {
    await anonymous.register(owners)
    await anonymous.register(attackers)
  },
  'the attacker registers and uses up the emails, then the owner registers': async ({ anonymous }) => {
    await anonymous.register(attackers)
    for (const _ of uses(mailBudget.perHour)) await anonymous.resendActivation(email)
    await anonymous.register(owners)
  },
  'the attacker uses up the emails before, registers an hour later, and again, then the owner registers': async ({
    clock,
    anonymous,
  }) => {
    for (const _ of uses(mailBudget.perHour)) await anonymous.resendActivation(email)
    clock.advance(hour + 1)
    await anonymous.register(attackers)
    for (const _ of uses(mailBudget.perHour)) await anonymous.resendActivation(email)
    await anonymous.register(owners)
  },
  'the attacker registers, and the owner a week later, when that registration is forgotten': async ({
    service,
    clock,
    anonymous,
  }) => {
    await anonymous.register(attackers)
    await service.deliver()
    clock.advance(8 * day)
    await service.runCron('0 * * * *')
    await anonymous.register(owners)
  },
}

const idOf = async () => String((await rowOf('users', 'email = ?', email))['id'])

/** The owner follows every link in the mailbox, with the own password, and takes the own names. */
async function followLinks({ service, inbox, anonymous }: Scene): Promise<void> {
  await service.deliver()
  for (const mail of inbox.all(email).filter(({ text }) => text?.includes('#token='))) {
    const token = linkTokenIn(mail)
    await (mail.text!.includes('/reset-password#')
      ? anonymous.completePasswordReset({ token, new_password: reset }).answer
      : anonymous.activate({ token, password: goodPassword }).answer)
  }
}

/** How the account becomes active, if it does. */
const activations: Record<string, (scene: Scene) => Promise<void>> = {
  'by the links that were mailed': followLinks,
  'by links that were mailed again': async (scene) => {
    await scene.anonymous.resendActivation(email)
    await followLinks(scene)
  },
  'by a reset of the owner': async (scene) => {
    await scene.anonymous.requestPasswordReset({ email })
    await followLinks(scene)
  },
  'by a reset that an ADMIN started': async (scene) => {
    await scene.admin.startPasswordReset(await idOf())
    await followLinks(scene)
  },
  'by hand': async ({ admin }) => void (await admin.activateUser(await idOf())),
  'by hand, with a role before': async ({ admin }) => {
    const id = await idOf()
    for (const role of ['MODERATOR', 'ADMIN'] as const) await admin.assignRole(id, role).refused(409, 'not_activated')
    await admin.activateUser(id)
  },
  'by hand, with a role after': async ({ admin }) => {
    const id = await idOf()
    await admin.activateUser(id)
    await admin.assignRole(id, 'ADMIN')
  },
  'by hand, suspended and reinstated before, with a role in between': async ({ admin }) => {
    const id = await idOf()
    await admin.suspend(id)
    await admin.assignRole(id, 'ADMIN').refused(409, 'not_activated')
    await admin.activateUser(id).refused(409, 'user_suspended')
    await admin.reinstate(id)
    await admin.assignRole(id, 'ADMIN').refused(409, 'not_activated')
    await admin.activateUser(id)
  },
  'by hand, and registered once more by the attacker after that': async ({ service, anonymous, admin }) => {
    await admin.activateUser(await idOf())
    await anonymous.register(attackers)
    await service.deliver()
  },
  'by hand, after it was deleted by an ADMIN and registered again by the attacker': async ({ anonymous, admin }) => {
    await admin.deleteUser(await idOf())
    await anonymous.register(attackers)
    await admin.activateUser(await idOf())
  },
}

async function expectAttackerOut({ clock, anonymous }: Scene): Promise<void> {
  // Longer than any wait after wrong passwords.
  clock.advance(hour)
  const answer = await anonymous.login({ email, password: otherPassword }).answer
  expect([401, 403], 'with the password of the attacker').toContain(answer.status)
}

describe.each(Object.entries(registrations))('%s; the account becomes active', (_, register) => {
  it.for(Object.entries(activations))(
    '%s: nobody but the owner gets in, and the owner does',
    async ([, activate], { service, clock, inbox, anonymous, admin }) => {
      const scene = { service, clock, inbox, anonymous, admin }
      await register(scene)
      // A day may have passed since the ADMIN signed in.
      const acting = { ...scene, admin: await admin.signIn() }
      await activate(acting)
      await expectAttackerOut(scene)
      await followLinks(scene)
      await expectAttackerOut(scene)

      // The owner's own way in the end: mail to the own mailbox, once the budgets are there again.
      clock.advance(day + hour)
      await anonymous.requestPasswordReset({ email })
      await followLinks(scene)
      const passwords = [goodPassword, reset]
      const signIns = await Promise.all(passwords.map((password) => anonymous.login({ email, password }).answer))
      expect(signIns.map(({ status }) => status)).toContain(200)
      await expectAttackerOut(scene)
      const { first_name, last_name, locale } = await rowOf('users', 'email = ?', email)
      expect([attackers.first_name, attackers.last_name, attackers.locale]).not.toContain(first_name)
      expect([null, owners.last_name]).toContain(last_name)
      expect([null, owners.locale]).toContain(locale)
    },
  )
})

describe('a role above USER', () => {
  it.for(roles.filter((role) => role !== 'USER'))(
    '%s is for accounts whose mailbox was proven, or that were activated by hand',
    async (role, { people, admin }) => {
      const { id } = await people.pending(email)
      await admin.assignRole(id, role).refused(409, 'not_activated')
      await admin.suspend(id)
      await admin.assignRole(id, role).refused(409, 'not_activated')
      expect(await rowOf('users', 'id = ?', id)).toMatchObject({ role: 'USER' })
      await admin.reinstate(id)
      await admin.activateUser(id)
      expect(await admin.assignRole(id, role)).toMatchObject({ role })
    },
  )

  it('can be taken from an account that got it while it was pending', async ({ people, admin }) => {
    const { id } = await people.pending(email)
    await write("update users set role = 'ADMIN' where id = ?", id)
    expect(await admin.assignRole(id, 'USER')).toMatchObject({ role: 'USER', status: 'pending' })
  })

  it('comes to the bootstrap address only with its owner', async ({ service, inbox, anonymous }) => {
    const bootstrap = 'admin@example.com'
    await anonymous.register({ ...attackers, email: bootstrap })
    await service.deliver()
    const token = inbox.linkToken(bootstrap)
    // The owner is sent the link, the attacker knows the password.
    await anonymous.activate({ token, password: goodPassword }).refused(401, 'invalid_credentials')
    await anonymous.login({ email: bootstrap, password: otherPassword }).refused(403, 'account_pending')
    await anonymous.requestPasswordReset({ email: bootstrap })
    await service.deliver()
    await anonymous.completePasswordReset({ token: inbox.linkToken(bootstrap), new_password: goodPassword })
    await anonymous.login({ email: bootstrap, password: otherPassword }).refused(401, 'invalid_credentials')
    const { user } = await anonymous.login({ email: bootstrap, password: goodPassword })
    expect(user).toMatchObject({ role: 'ADMIN', first_name: null, locale: null })
  })
})
