/** The table of user agents: who may add to it, how many it takes, and how sessions and events show them. */
import { env } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import { ceilings, maxUserAgents, retention } from '../../src/config/policy.ts'
import type { Caller } from '../support/caller.ts'
import { day, hour, minute, second } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { enrolApp, factorTokenIn, giveFactors } from '../support/factors.ts'
import { it as base } from '../support/fixtures.ts'
import { enrolPasskey, givePasskey } from '../support/passkeys.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import { insertUserAgents } from '../support/rows.ts'
import { startService } from '../support/service.ts'
import { rowsOf, write } from '../support/state.ts'

const texts = async () => (await rowsOf('user_agents')).map(({ text }) => text)
const under = (userAgent: string) => ({ headers: { 'User-Agent': userAgent } })
const fill = (rows = maxUserAgents) => insertUserAgents(Array.from({ length: rows }, (_, place) => `browser ${place}`))

const it = base.extend('signInUnder', async ({ anonymous, ada }) => async (userAgent: string) => {
  const { email } = ada
  const answer = await anonymous.from(under(userAgent)).login({ email, password: goodPassword })
  return ada.holding(answer).from(under(userAgent))
})

describe('the table of user agents', () => {
  it('gets those of activations and sign-ins, each once', async ({ people, anonymous, signInUnder }) => {
    const token = await people.register('bob@example.com')
    await anonymous.from(under('Opera/9')).activate({ token, password: goodPassword })
    await signInUnder('Netscape/4')
    await signInUnder('Netscape/4')
    await signInUnder('Opera/9')
    expect(await texts()).toEqual(['Opera/9', 'Netscape/4'])
  })

  it('gets none from whoever does not sign in, or was signed in before', async ({
    service,
    people,
    anonymous,
    ada,
  }) => {
    const stranger = anonymous.from(under('Made up/1'))
    const { email } = ada
    const token = await people.register('bob@example.com')
    await stranger.register({ email: 'eve@example.com', password: goodPassword })
    await stranger.activate({ token, password: otherPassword }).refused(401, 'invalid_credentials')
    await stranger.login({ email, password: otherPassword }).refused(401, 'invalid_credentials')
    await stranger.login({ email: 'nobody@example.com', password: goodPassword }).refused(401, 'invalid_credentials')
    await stranger.requestPasswordReset({ email })
    await service.deliver()
    const renewed = await ada.from(under('Made up/1')).renewed()
    await renewed.from(under('Made up/1')).updateMe({ bio: 'x' })
    await renewed.from(under('Made up/1')).logout()
    expect(await texts()).toEqual([])
  })

  it('takes no more than its ceiling, whoever signs in at once', async ({ anonymous, people }) => {
    await fill(maxUserAgents - 3)
    const persons: Person[] = []
    for (const name of ['a', 'b', 'c', 'd']) persons.push(await people.signUp(`${name}@example.com`))
    const signIns = Array.from({ length: 20 }, (_, place) =>
      anonymous.from(under(`new ${place}`)).login({ email: persons[place % 4]!.email, password: goodPassword }),
    )
    await Promise.all(signIns)
    const stored = await texts()
    expect(stored).toHaveLength(maxUserAgents)
    expect(new Set(stored).size).toBe(maxUserAgents)
    const lists = await Promise.all(persons.map((person) => person.sessions()))
    const shown = lists
      .flatMap(({ sessions }) => sessions.map(({ user_agent: shownAs }) => shownAs))
      .filter((shownAs) => shownAs !== null)
    expect(shown.filter((shownAs) => shownAs.startsWith('new '))).toHaveLength(3)
    expect(shown.filter((shownAs) => shownAs === 'other')).toHaveLength(17)
  })

  it('gets no more than a few of one user in a day, however many sign-ins come at once', async ({
    anonymous,
    ada,
    clock,
    signInUnder,
  }) => {
    const { userAgentsPerUserAndDay: max } = ceilings
    const { email } = ada
    for (let round = 0; round < 10; round++) {
      const signIns = Array.from({ length: 20 }, (_, place) =>
        anonymous.from(under(`${round} ${place}`)).login({ email, password: goodPassword }),
      )
      await Promise.all(signIns)
      expect(await texts()).toHaveLength((round + 1) * max)
      const before = await texts()
      await signInUnder(String(before[0]))
      expect(await texts()).toEqual(before)
      clock.advance(day)
    }
  })

  it('is written at most once a day for each user agent', async ({ service, clock, signInUnder }) => {
    const seenAt = async () => (await rowsOf('user_agents'))[0]!['seen_at']
    await signInUnder('Netscape/4')
    const first = clock.now().getTime()
    clock.advance(23 * hour)
    await signInUnder('Netscape/4')
    expect(await seenAt()).toBe(first)
    clock.advance(hour)
    await signInUnder('Netscape/4')
    expect(await seenAt()).toBe(first + day)
    await service.deliver()
  })
})

describe('a user agent that is not listed', () => {
  it('is shown as other in sessions, the activity and the trail', async ({ admin, signInUnder }) => {
    await fill()
    const session = await signInUnder('Netscape/4')
    const shown = expect.objectContaining({ type: 'user.signed_in', user_agent: 'other' })
    const { events } = await admin.auditEvents({ user_id: session.id })
    expect(events).toContainEqual(shown)
    const { sessions } = await session.sessions()
    expect(sessions.find(({ current }) => current)!.user_agent).toBe('other')
    const activity = await session.activity()
    expect(activity.events).toContainEqual(shown)
  })

  it('is named by the events of a theft, a repetition, a new password and a suspension', async ({
    clock,
    admin,
    ada,
    signInUnder,
  }) => {
    await fill()
    const owner = await signInUnder('Owner/1')
    clock.advance(second)
    await owner.renewed()
    await owner.from({ headers: { 'User-Agent': 'Owner/1', 'CF-Connecting-IP': '198.51.100.9' } }).refresh()
    await owner.from(under('Thief/1')).refresh().refused(401, 'refresh_token_reused')
    const passwords = { old_password: ada.password, new_password: otherPassword }
    const wrong = { ...passwords, old_password: 'wrong' }
    await ada.from(under('Guess/1')).changePassword(wrong).refused(403, 'wrong_password')
    await ada.from(under('Change/1')).changePassword(passwords)
    await admin.from(under('Staff/1')).suspend(ada)
    const { events } = await admin.auditEvents({ user_id: ada.id, limit: 100 })
    expect(Object.fromEntries(events.map(({ type, user_agent: text }) => [type, text]))).toMatchObject({
      'user.signed_in': 'other',
      'session.refresh_repeated': 'Owner/1',
      'session.reuse_detected': 'Thief/1',
      'user.password_change_refused': 'Guess/1',
      'user.password_changed': 'Change/1',
      'user.suspended': 'Staff/1',
    })
    expect(events.some(({ detail }) => detail && 'user_agent' in detail)).toBe(false)
  })

  it('is named by what takes or weakens an account by its factors, its address or its data', async ({
    service,
    inbox,
    clock,
    admin,
    people,
    anonymous,
  }) => {
    await fill()
    const grace = await people.signUp('grace@example.com')
    const as = (userAgent: string) => grace.from(under(userAgent))
    const { app, recoveryCodes } = await enrolApp(as('Add/1'))
    await as('Wrong/1').stepUp({ totp: app.wrongCode() }).refused(403, 'wrong_second_factor')
    clock.advance(minute)
    await as('Code/1').stepUp({ recovery_code: recoveryCodes[0]! })
    await as('Renew/1').renewRecoveryCodes()
    const { id } = await enrolPasskey(grace)
    await as('Rename/1').renamePasskey(id, 'Laptop')
    await as('Remove/1').removeTotp()
    await as('Export/1').exportMe()
    clock.advance(second)
    await as('Ask/1').changeEmail('eve@example.com')
    await service.deliver()
    await as('Move/1').confirmEmail(inbox.linkToken('eve@example.com'))
    await anonymous.from(under('Revert/1')).revertEmail(inbox.linkToken('grace@example.com'))
    const { events } = await admin.auditEvents({ user_id: grace.id, limit: 100 })
    expect(Object.fromEntries(events.toReversed().map(({ type, user_agent: text }) => [type, text]))).toMatchObject({
      'user.step_up_refused': 'Wrong/1',
      'user.recovery_code_used': 'Code/1',
      'user.recovery_codes_renewed': 'Renew/1',
      'user.passkey_renamed': 'Rename/1',
      'user.factor_removed': 'Remove/1',
      'user.exported': 'Export/1',
      'user.email_change_requested': 'Ask/1',
      'user.email_changed': 'Move/1',
      'user.email_change_reverted': 'Revert/1',
    })
    const added = events.filter(({ type }) => type === 'user.factor_added').map(({ user_agent: text }) => text)
    expect(added).toContain('Add/1')
  })

  it('is named by a passkey that may be a copy, and by a reset of the factors', async ({ admin, anonymous, ada }) => {
    await fill()
    const { authenticator } = await givePasskey(ada, { isSynced: false }, { signCount: 5 })
    const { challenge_token, public_key } = await anonymous.passkeySignInOptions()
    const credential = await authenticator.get(public_key, { signCount: 5 })
    await anonymous.from(under('Copy/1')).signInWithPasskey({ challenge_token, credential })
    await admin.from(under('Staff/1')).resetFactors(ada)
    const { events } = await admin.auditEvents({ user_id: ada.id, limit: 100 })
    expect(Object.fromEntries(events.map(({ type, user_agent: text }) => [type, text]))).toMatchObject({
      'user.passkey_doubted': 'Copy/1',
      'user.factors_reset': 'Staff/1',
    })
  })

  it('is in no event that somebody without a session or a link can cause', async ({
    service,
    clock,
    people,
    anonymous,
    ada,
  }) => {
    const { email } = ada
    await giveFactors(ada.id, clock)
    const token = await people.register('bob@example.com')
    const stranger = anonymous.from(under('x'.repeat(256)))
    await stranger.register({ email: 'eve@example.com', password: goodPassword })
    await stranger.resendActivation('eve@example.com')
    await stranger.activate({ token, password: otherPassword }).refused(401, 'invalid_credentials')
    await stranger.requestPasswordReset({ email })
    await stranger.login({ email, password: otherPassword }).refused(401, 'invalid_credentials')
    await stranger.login({ email: 'nobody@example.com', password: goodPassword }).refused(401, 'invalid_credentials')
    const step = await stranger.login({ email, password: goodPassword }).refused(403, 'second_factor_required')
    const guess = { factor_token: factorTokenIn(step), totp: '000000' }
    await stranger.secondFactor(guess).refused(403, 'wrong_second_factor')
    await service.deliver()
    const { results } = await env.DB.prepare('select type, detail from audit_events').run<{ detail: string | null }>()
    expect(results.length).toBeGreaterThan(8)
    expect(results.filter(({ detail }) => detail?.includes('xxx'))).toEqual([])
  })

  it('is kept up to its length in the trail, and only where it is not listed', async ({ admin, ada, signInUnder }) => {
    const session = await signInUnder('Netscape/4')
    await session.renewed()
    await session
      .from(under('x'.repeat(1000)))
      .refresh()
      .refused(401, 'refresh_token_reused')
    const { events } = await admin.auditEvents({ user_id: ada.id, type: 'session.reuse_detected' })
    expect(events[0]!.user_agent).toBe('x'.repeat(256))
    await admin.from(under('Netscape/4')).suspend(ada)
    const { results } = await env.DB.prepare('select detail from audit_events where type = 13').run()
    expect(results).toEqual([{ detail: expect.not.stringContaining('Netscape') }])
  })

  it('is shown as other once it refreshes a session, so that a thief is not shown as the owner', async ({
    signInUnder,
  }) => {
    const shownIn = async (session: Awaited<ReturnType<typeof signInUnder>>) =>
      (await session.sessions()).sessions.find(({ current }) => current)!.user_agent
    const session = await signInUnder('Netscape/4')
    const renewed = await session.renewed()
    expect(await shownIn(renewed)).toBe('Netscape/4')
    const stolen = await renewed.from(under('Made up/1')).renewed()
    expect(await shownIn(stolen)).toBe('other')
    const again = await stolen.renewed()
    expect(await shownIn(again)).toBe('other')
    expect(await shownIn(await again.from(under('Netscape/4')).renewed())).toBe('Netscape/4')
  })

  it('is named in the email about a sign-in', async ({ service, inbox, anonymous, ada }) => {
    await fill()
    const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
    const { email, password } = ada
    const headers = { 'User-Agent': firefox, 'CF-Connecting-IP': '198.51.100.9' }
    await anonymous.from({ headers }).login({ email, password })
    await service.deliver()
    expect(inbox.newest(ada).text).toContain('Firefox on Linux')
  })

  it('is not the same as none', async ({ ada }) => {
    await fill()
    const session = await ada.signIn()
    const { sessions } = await session.sessions()
    expect(sessions[0]!.user_agent).toBeNull()
  })
})

describe('the cleanup', () => {
  it('makes room by those that nobody signed in with for long, and never gives a number again', async ({
    service,
    clock,
    ada,
    signInUnder,
  }) => {
    await fill()
    await signInUnder('browser 7')
    clock.advance(retention.userAgents - 1)
    await service.runCron('0 * * * *')
    expect(await texts()).toHaveLength(maxUserAgents)
    const current = await ada.signIn()
    await current.from(under('browser 8')).updateMe({ bio: 'x' })
    const last = await signInUnder('browser 9')
    clock.advance(2)
    await service.runCron('0 * * * *')
    expect(await texts()).toEqual(['browser 9', `browser ${maxUserAgents - 1}`])
    await signInUnder('Netscape/4')
    const rows = await rowsOf('user_agents')
    expect(rows.at(-1)).toMatchObject({ id: maxUserAgents + 1, text: 'Netscape/4' })
    const { events } = await last.activity({ limit: 100 })
    expect(events.find(({ type }) => type === 'user.profile_updated')).toMatchObject({ user_agent: 'other' })
  })
})

describe('a sign-in', () => {
  it('costs no round trip more for a new user agent, and three rows', async ({ ada, signInUnder }) => {
    await signInUnder('Netscape/4')
    const meter = countCosts(env)
    const service = startService({ env: meter.bindings })
    const { email, password } = ada
    const signIn = async (userAgent: string) => {
      await (ada.at(service) as Caller).from(under(userAgent)).login({ email, password })
      return meter.take()
    }
    const known = await signIn('Netscape/4')
    const fresh = await signIn('Opera/9')
    expect(fresh.roundTrips).toBe(known.roundTrips)
    expect(fresh.rowsWritten).toBe(known.rowsWritten + 3)
    await write('delete from user_agents')
    await fill()
    const unlisted = await signIn('Lynx/2')
    expect(unlisted.rowsWritten).toBe(known.rowsWritten)
    expect(unlisted.rowsRead).toBeLessThan(known.rowsRead + 10)
  })
})
