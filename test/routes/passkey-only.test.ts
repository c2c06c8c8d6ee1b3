/** The life of an account that has a passkey and no password. */
import { describe, expect } from 'vitest'
import { expectNoContent, expectOk, expectProblem } from '../support/answers.ts'
import { hour, minute } from '../support/clock.ts'
import { it as base } from '../support/fixtures.ts'
import { linkTokenIn } from '../support/inbox.ts'
import { subjects } from '../support/mails.ts'
import { type PasskeyOnly, signInWith, signUpPasskeyOnly } from '../support/passkey-only.ts'
import { type Person, expectEnded, goodPassword, otherPassword } from '../support/person.ts'
import { nothing, observe, rowOf, rowsOf } from '../support/state.ts'

const email = 'ada@example.com'
const address = 'ada.moved@example.com'

const it = base
  .extend('account', async ({ service }): Promise<PasskeyOnly> => signUpPasskeyOnly(service, email))
  .extend('owner', async ({ account }) => account.owner)

/** Eleven minutes after the sign-in: what is dangerous needs a step-up. */
async function later(person: Person): Promise<Person> {
  person.service.clock.advance(11 * minute)
  return person.renewed()
}

async function stepUp(person: Person, { authenticator }: PasskeyOnly) {
  const { challenge_token, public_key } = await person.stepUpOptions()
  return person.stepUp({ passkey: { challenge_token, credential: await authenticator.get(public_key) } })
}

describe('the owner', () => {
  it('signs in with the passkey, as strongly as with two factors', async ({ owner }) => {
    expect(await rowOf('users', 'id = ?', owner.id)).toMatchObject({ email, password_hash: null, status: 'active' })
    expect((await owner.factors()).passkeys).toHaveLength(1)
    expect(await rowOf('sessions', 'id = ?', owner.sessionId)).toMatchObject({ amr: '["pop","user","mfa"]' })
  })

  it('steps up with the passkey, and is offered no password', async ({ service, account, owner }) => {
    const back = await later(owner)
    expect((await back.stepUpOptions()).methods.toSorted()).toEqual(['passkey', 'recovery_code'])
    const byPassword = await observe(service, () => back.stepUp({ password: goodPassword }))
    expectProblem(byPassword.answer, 403, 'wrong_second_factor')
    expect(byPassword.effects).toEqual(nothing)
    expect(await stepUp(back, account)).toMatchObject({ acr: 'phr' })
  })

  it('exports the data after a step-up', async ({ account, owner }) => {
    const back = await later(owner)
    await back.exportMe().refused(401, 'insufficient_user_authentication')
    await stepUp(back, account)
    expect(JSON.stringify(await back.exportMe())).toContain(email)
  })

  it('changes the address and takes that back, and has the passkey all along', async ({
    service,
    inbox,
    account,
    owner,
    anonymous,
  }) => {
    await owner.changeEmail(address)
    await service.deliver()
    const revert = inbox.linkToken(email)
    expect((await owner.confirmEmail(inbox.linkToken(address))).email).toBe(address)
    expect((await signInWith(service, account.authenticator)).email).toBe(address)
    await anonymous.revertEmail(revert)
    await expectEnded(owner)
    const back = await signInWith(service, account.authenticator)
    expect([back.id, back.email]).toEqual([owner.id, email])
    expect(await rowOf('users', 'id = ?', owner.id)).toMatchObject({ password_hash: null })
  })

  it('deletes the account without a password, if the proof is recent', async ({ service, account, owner }) => {
    const back = await later(owner)
    const stale = await observe(service, () => back.call('deleteMe', { body: {} }))
    expectProblem(stale.answer, 401, 'insufficient_user_authentication')
    expect(stale.effects).toEqual(nothing)
    await stepUp(back, account)
    const { answer, effects } = await observe(service, () => back.call('deleteMe', { body: {} }))
    expectNoContent(answer)
    expect(effects.mails).toEqual([`${email}: ${subjects.accountDeleted}`])
    expect(await rowsOf('users')).toEqual([])
    expect(await rowsOf('passkeys')).toEqual([])
  })
})

describe('a password', () => {
  it('is set by email for the first time, and ends every session', async ({
    service,
    inbox,
    account,
    owner,
    people,
    anonymous,
  }) => {
    const token = await people.resetToken(email)
    await anonymous.completePasswordReset({ token, new_password: otherPassword })
    await expectEnded(owner)
    await anonymous.login({ email, password: otherPassword }).refused(403, 'second_factor_required')
    await signInWith(service, account.authenticator)
    expect(inbox.subjects(email)).toContain(subjects.passwordReset)
  })

  it('is set without an old one, if the proof is recent', async ({ service, account, owner, anonymous }) => {
    const back = await later(owner)
    const change = { new_password: otherPassword }
    const stale = await observe(service, () => back.changePassword(change))
    expectProblem(stale.answer, 401, 'insufficient_user_authentication')
    expect(stale.effects).toEqual(nothing)
    await stepUp(back, account)
    expectNoContent(await back.changePassword(change).answer)
    await anonymous.login({ email, password: otherPassword }).refused(403, 'second_factor_required')
    // From now on there is an old one.
    await back.changePassword({ new_password: goodPassword }).refused(422, 'validation_failed')
  })

  it('that was taken is wrong for a deletion and a change, as is any other', async ({ owner }) => {
    for (const password of [goodPassword, otherPassword]) {
      await owner.deleteMe(password).refused(403, 'wrong_password')
      const change = { old_password: password, new_password: 'quartz violin meadow' }
      await owner.changePassword(change).refused(403, 'wrong_password')
    }
    await owner.me()
  })

  it('signs nobody in', async ({ service, owner, anonymous }) => {
    for (const password of [goodPassword, otherPassword, owner.id, 'null']) {
      const { answer, effects } = await observe(service, () => anonymous.login({ email, password }))
      expectProblem(answer, 401, 'invalid_credentials')
      expect(effects.rows).not.toHaveProperty('sessions')
    }
    service.clock.advance(hour)
    expect(expectOk(await (await owner.renewed()).call('getMe').answer)).toMatchObject({ email })
  })

  it('can be set by the link in the email about the undone change', async ({ inbox, account, anonymous }) => {
    const mail = inbox.all(email).find(({ subject }) => subject === subjects.passwordReset)!
    await anonymous.completePasswordReset({ token: linkTokenIn(mail), new_password: otherPassword })
    await anonymous.login({ email, password: otherPassword }).refused(403, 'second_factor_required')
    expect(account.owner.email).toBe(email)
  })
})
