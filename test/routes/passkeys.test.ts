/** Passkeys: what the API answers, what it stores, and what it refuses. */
import { base64url, decodeJwt } from 'jose'
import { describe, expect } from 'vitest'
import type { components } from '../../client/src/api.ts'
import { ceilings } from '../../src/config/policy.ts'
import { bytesOfUuid, uuidv7 } from '../../src/crypto/random.ts'
import { expectOk, expectProblem, signInAnswer, userObject } from '../support/answers.ts'
import type { BodyOf } from '../support/api.ts'
import type { Authenticator, Forgery } from '../support/authenticator.ts'
import type { Caller } from '../support/caller.ts'
import { hour, minute, second } from '../support/clock.ts'
import { it } from '../support/fixtures.ts'
import { enrolPasskey, givePasskey } from '../support/passkeys.ts'
import { goodPassword } from '../support/person.ts'
import { interrupt } from '../support/hooked-d1.ts'
import { insertAuditEvents } from '../support/rows.ts'
import { startService } from '../support/service.ts'
import { nothing, observe, rowOf, rowsOf, write } from '../support/state.ts'

type SignIn = BodyOf<'signInWithPasskey'>
type Question = components['schemas']['SecondFactorProblem']

/** A response to new options. */
async function answerTo(caller: Caller, authenticator: Authenticator, forgery?: Forgery): Promise<SignIn> {
  const { challenge_token, public_key } = await caller.passkeySignInOptions()
  return { challenge_token, credential: await authenticator.get(public_key, forgery) }
}

const bit = { UP: 1, UV: 4, BE: 8, BS: 16 }

describe('POST /auth/passkey/options', () => {
  it('gives a new challenge each time, names no credential, and stores nothing', async ({ service, anonymous }) => {
    const { effects, answer } = await observe(service, async () => {
      await anonymous.passkeySignInOptions()
      return anonymous.passkeySignInOptions().answer
    })
    const options = expectOk(answer)
    expect(options).toEqual({
      challenge_token: expect.stringMatching(/^[\w-]{43}$/),
      public_key: {
        challenge: options.challenge_token,
        rpId: 'accounts.example.com',
        timeout: 300_000,
        userVerification: 'required',
      },
    })
    expect(effects).toEqual(nothing)
    expect((await anonymous.passkeySignInOptions()).challenge_token).not.toBe(options.challenge_token)
  })
})

describe('POST /auth/passkey', () => {
  it('starts a session whose tokens say that it was a passkey', async ({ service, clock, anonymous, ada }) => {
    const { authenticator, passkey } = await givePasskey(ada)
    clock.advance(hour)
    const body = await answerTo(anonymous, authenticator)
    clock.advance(second)
    const { answer, effects, audit } = await observe(
      service,
      () => anonymous.from({ headers: { 'User-Agent': 'Netscape/4' } }).signInWithPasskey(body).answer,
    )
    const now = clock.now()
    expect(expectOk(answer)).toEqual(
      signInAnswer(userObject({ email: ada.email, id: ada.id, last_login_at: now.toISOString() })),
    )
    const { sid } = decodeJwt(expectOk(answer).access_token)
    expect(await rowOf('sessions', 'id = ?', String(sid))).toMatchObject({ amr: '["pop","user","mfa"]' })
    expect(audit).toMatchObject([
      {
        type: 'user.signed_in',
        user_id: ada.id,
        actor_id: ada.id,
        detail: JSON.stringify({ session_id: sid, passkey_id: passkey.id }),
      },
    ])
    expect(effects.rows).not.toHaveProperty('attempt_counters')
    expect(await rowOf('passkeys')).toMatchObject({
      last_used_at: now.getTime(),
      sign_count: 0,
      used_challenges: expect.stringMatching(/^\["[0-9a-f-]{36}"\]$/),
    })
  })

  it('keeps the refresh token in the cookie for pages of this origin, and for no other', async ({ anonymous, ada }) => {
    const { authenticator } = await givePasskey(ada)
    const body = { ...(await answerTo(anonymous, authenticator)), transport: 'cookie' as const }
    await anonymous.signInWithPasskey(body).refused(403, 'origin_not_allowed')
    const own = anonymous.from({ headers: { Origin: 'https://accounts.example.com' } })
    const { headers, json } = await own.signInWithPasskey(body).answer
    expect(headers.get('Set-Cookie')).toMatch(/^__Host-postern-refresh=/)
    expect(json).not.toHaveProperty('refresh_token')
  })

  it('takes every algorithm, and authenticators that are synced and that are not', async ({ anonymous, ada }) => {
    for (const algorithm of ['ES256', 'EdDSA', 'RS256'] as const) {
      for (const isSynced of [true, false]) {
        const { authenticator } = await givePasskey(ada, { algorithm, isSynced })
        await anonymous.signInWithPasskey(await answerTo(anonymous, authenticator))
      }
    }
  })

  it('mails about a new device and place as after a password', async ({ service, inbox, clock, anonymous, ada }) => {
    clock.advance(hour)
    await ada.signIn()
    const { authenticator } = await givePasskey(ada)
    await service.deliver()
    const before = inbox.all(ada.email).length
    await anonymous.signInWithPasskey(await answerTo(anonymous, authenticator))
    await service.deliver()
    expect(inbox.all(ada.email)).toHaveLength(before)
    const stranger = anonymous.from({ headers: { 'User-Agent': 'Netscape/4', 'CF-Connecting-IP': '198.51.100.9' } })
    await stranger.signInWithPasskey(await answerTo(anonymous, authenticator))
    await service.deliver()
    expect(inbox.all(ada.email)).toHaveLength(before + 1)
  })

  it('takes the longest credential id that there may be, with the longest kind of key', async ({ anonymous, ada }) => {
    const { authenticator } = await enrolPasskey(ada, { algorithm: 'RS256', idLength: 1023 })
    await anonymous.signInWithPasskey(await answerTo(anonymous, authenticator))
    const { challenge_token, public_key } = await ada.stepUpOptions()
    await ada.stepUp({ passkey: { challenge_token, credential: await authenticator.get(public_key) } })
    const login = { email: ada.email, password: goodPassword }
    const asked = (await anonymous.login(login).refused(403, 'second_factor_required')) as Question
    const { challenge_token: token, public_key: options } = asked.passkey!
    const passkey = { challenge_token: token, credential: await authenticator.get(options) }
    await anonymous.secondFactor({ factor_token: asked.factor_token, passkey })
  })

  it('keeps whether the passkey is backed up, as the authenticator says it at each sign-in', async ({
    anonymous,
    ada,
  }) => {
    const { authenticator } = await givePasskey(ada)
    for (const isBackedUp of [false, true]) {
      const flags = bit.UP | bit.UV | bit.BE | (isBackedUp ? bit.BS : 0)
      await anonymous.signInWithPasskey(await answerTo(anonymous, authenticator, { flags }))
      expect((await ada.factors()).passkeys).toMatchObject([{ backed_up: isBackedUp }])
    }
  })

  it('works for an account without a password', async ({ anonymous, ada }) => {
    const { authenticator } = await givePasskey(ada)
    await write('update users set password_hash = null, password_id = null where id = ?', ada.id)
    expect((await anonymous.signInWithPasskey(await answerTo(anonymous, authenticator))).user.id).toBe(ada.id)
  })

  it('leaves the series of wrong passwords as it is', async ({ anonymous, ada }) => {
    const { authenticator } = await givePasskey(ada)
    await anonymous.login({ email: ada.email, password: 'not the right password' }).answer
    const before = await rowsOf('attempt_counters')
    await anonymous.signInWithPasskey(await answerTo(anonymous, authenticator))
    expect(await rowsOf('attempt_counters')).toEqual(before)
  })
})

describe('one answer, and no row, for everything that is wrong:', () => {
  const client = (clientData: Record<string, unknown>): Forgery => ({ clientData })
  const forgeries: [string, Forgery][] = [
    ['no user verification', { flags: bit.UP | bit.BE | bit.BS }],
    ['no user presence', { flags: bit.UV | bit.BE | bit.BS }],
    ['a backup of what cannot have one', { flags: bit.UP | bit.UV | bit.BS }],
    ['another eligibility for backup than at the registration', { flags: bit.UP | bit.UV }],
    ['another RP ID', { rpId: 'example.com' }],
    ['another origin', client({ origin: 'https://evil.example.com' })],
    ['a frame of another origin', client({ crossOrigin: true })],
    ['the type of a registration', client({ type: 'webauthn.create' })],
    ['no user handle', { userHandle: null }],
    ['an empty user handle', { userHandle: '' }],
    ['the handle of another user', { userHandle: 'AZNvbgAAcACAAAAAAAAAAA' }],
    ['another challenge', client({ challenge: 'A'.repeat(43) })],
  ]

  it.for(forgeries)('%s', async ([, forgery], { service, anonymous, ada }) => {
    const { authenticator } = await givePasskey(ada)
    const body = await answerTo(anonymous, authenticator, forgery)
    const { answer, effects } = await observe(service, () => anonymous.signInWithPasskey(body).answer)
    expectProblem(answer, 401, 'invalid_passkey')
    expect(effects).toEqual(nothing)
  })

  const edits: [string, (body: SignIn, other: SignIn) => SignIn][] = [
    ['an unknown credential', (body) => ({ ...body, credential: { ...body.credential, id: 'AAAA' } })],
    ['a credential id that is no base64url', (body) => ({ ...body, credential: { ...body.credential, id: '!' } })],
    ['an endless credential id', (body) => ({ ...body, credential: { ...body.credential, id: 'A'.repeat(9000) } })],
    ['no challenge', (body) => ({ ...body, challenge_token: 'x' })],
    ['the token of another challenge', (body, other) => ({ ...body, challenge_token: other.challenge_token })],
    [
      'the credential of another account',
      (body, other) => ({ ...body, credential: { ...body.credential, id: other.credential.id } }),
    ],
    [
      'the response of another account',
      (body, other) => ({ ...body, credential: { ...other.credential, id: body.credential.id } }),
    ],
    [
      'a changed signature',
      (body) => ({
        ...body,
        credential: { ...body.credential, response: { ...body.credential.response, signature: 'AAAA' } },
      }),
    ],
  ]

  it.for(edits)('%s', async ([, edit], { service, anonymous, ada, eve }) => {
    const [own, foreign] = [await givePasskey(ada), await givePasskey(eve)]
    const body = edit(await answerTo(anonymous, own.authenticator), await answerTo(anonymous, foreign.authenticator))
    const { answer, effects } = await observe(service, () => anonymous.signInWithPasskey(body).answer)
    expectProblem(answer, 401, 'invalid_passkey')
    expect(effects).toEqual(nothing)
  })

  it('a challenge of more than five minutes ago', async ({ clock, service, anonymous, ada }) => {
    const { authenticator } = await givePasskey(ada)
    const body = await answerTo(anonymous, authenticator)
    clock.advance(5 * minute + 1)
    const { answer, effects } = await observe(service, () => anonymous.signInWithPasskey(body).answer)
    expectProblem(answer, 401, 'invalid_passkey')
    expect(effects).toEqual(nothing)
  })

  it('a passkey of another RP ID, or on a page of one', async ({ service, anonymous, ada }) => {
    const { authenticator } = await givePasskey(ada)
    const moved = anonymous.at(startService({ env: { WEBAUTHN_RP_ID: 'example.com' }, beside: service }))
    const body = await answerTo(anonymous, authenticator)
    await moved.signInWithPasskey(body).refused(401, 'invalid_passkey')
    await write("update passkeys set rp_id = 'example.com'")
    await anonymous.signInWithPasskey(body).refused(401, 'invalid_passkey')
    expect((await moved.passkeySignInOptions()).public_key.rpId).toBe('example.com')
  })

  it('a passkey of a deleted account', async ({ anonymous, ada }) => {
    const { authenticator } = await givePasskey(ada)
    const body = await answerTo(anonymous, authenticator)
    await write('delete from passkeys')
    await anonymous.signInWithPasskey(body).refused(401, 'invalid_passkey')
  })

  it('a pending account, which cannot have one', async ({ anonymous, ada }) => {
    const { authenticator } = await givePasskey(ada)
    await write("update users set status = 'pending' where id = ?", ada.id)
    await anonymous.signInWithPasskey(await answerTo(anonymous, authenticator)).refused(401, 'invalid_passkey')
  })
})

describe('a suspended account', () => {
  it('is revealed to whoever has its passkey, and to nobody else', async ({ service, anonymous, admin, ada }) => {
    const { authenticator } = await givePasskey(ada)
    const body = await answerTo(anonymous, authenticator)
    const wrong = await answerTo(anonymous, authenticator, { flags: bit.UP | bit.BE | bit.BS })
    await admin.suspend(ada)
    await anonymous.signInWithPasskey(wrong).refused(401, 'invalid_passkey')
    const { answer, audit } = await observe(service, () => anonymous.signInWithPasskey(body).answer)
    expectProblem(answer, 403, 'account_suspended')
    expect(audit).toMatchObject([{ type: 'user.sign_in_refused', user_id: ada.id, detail: '{"reason":"suspended"}' }])
    expect(await rowsOf('sessions', 'user_id = ?', ada.id)).toEqual([])
  })
})

describe('a challenge', () => {
  it('is answered once, and the second answer is on record', async ({ service, anonymous, ada }) => {
    const { authenticator } = await givePasskey(ada)
    const body = await answerTo(anonymous, authenticator)
    await anonymous.signInWithPasskey(body)
    const { answer, audit } = await observe(service, () => anonymous.signInWithPasskey(body).answer)
    expectProblem(answer, 401, 'invalid_passkey')
    expect(audit).toMatchObject([
      { type: 'user.sign_in_refused', user_id: ada.id, detail: '{"reason":"used_challenge"}' },
    ])
  })

  it('may be answered in any order: two tabs may ask at once', async ({ anonymous, ada }) => {
    const { authenticator } = await givePasskey(ada)
    const [first, second] = [await answerTo(anonymous, authenticator), await answerTo(anonymous, authenticator)]
    await anonymous.signInWithPasskey(second)
    await anonymous.signInWithPasskey(first)
    await anonymous.signInWithPasskey(second).refused(401, 'invalid_passkey')
    await anonymous.signInWithPasskey(first).refused(401, 'invalid_passkey')
  })

  it('is answered sixteen times in five minutes, and the row forgets none of them before', async ({
    clock,
    anonymous,
    ada,
  }) => {
    const { authenticator } = await givePasskey(ada)
    const used: SignIn[] = []
    for (let count = 0; count < 16; count++) {
      used.push(await answerTo(anonymous, authenticator))
      await anonymous.signInWithPasskey(used.at(-1)!)
      clock.advance(second)
    }
    await anonymous.signInWithPasskey(await answerTo(anonymous, authenticator)).refused(401, 'invalid_passkey')
    for (const body of used) await anonymous.signInWithPasskey(body).refused(401, 'invalid_passkey')
    clock.advance(5 * minute - 16 * second)
    await anonymous.signInWithPasskey(await answerTo(anonymous, authenticator)).refused(401, 'invalid_passkey')
    clock.advance(1)
    await anonymous.signInWithPasskey(await answerTo(anonymous, authenticator))
    const { used_challenges: kept } = await rowOf('passkeys')
    expect(JSON.parse(String(kept))).toHaveLength(16)
    for (const body of used) await anonymous.signInWithPasskey(body).refused(401, 'invalid_passkey')
  })

  it('that was pushed out of the row is refused by its time', async ({ clock, anonymous, ada }) => {
    const { authenticator } = await givePasskey(ada)
    const old = await answerTo(anonymous, authenticator)
    await anonymous.signInWithPasskey(old)
    clock.advance(5 * minute)
    // A Worker whose clock is ahead, or a request that waited: the row forgets the old challenge.
    await write('update passkeys set used_challenges = ?, last_used_at = ?', '[]', clock.now().getTime() + 1)
    await anonymous.signInWithPasskey(old).refused(401, 'invalid_passkey')
  })
})

describe('the counter of signatures', () => {
  it('of an authenticator that counts is stored', async ({ anonymous, ada }) => {
    const { authenticator } = await givePasskey(ada, { isSynced: false })
    for (const count of [1, 2]) {
      await anonymous.signInWithPasskey(await answerTo(anonymous, authenticator))
      expect(await rowOf('passkeys')).toMatchObject({ sign_count: count })
    }
  })

  it('that goes back is recorded and mailed, and lets in: it is a signal and no proof', async ({
    service,
    inbox,
    anonymous,
    ada,
  }) => {
    const { authenticator, passkey } = await givePasskey(ada, { isSynced: false })
    for (const [count, isDoubted] of [
      [7, false],
      [7, true],
      [3, true],
      // Compared with the highest one, so that a copy does not hide by going back.
      [5, true],
      [0, true],
      [8, false],
    ] as const) {
      await service.deliver()
      const mails = inbox.all(ada.email).length
      const body = await answerTo(anonymous, authenticator, { signCount: count })
      const { audit } = await observe(service, () => anonymous.signInWithPasskey(body).answer)
      await service.deliver()
      const doubts = audit.filter(({ type }) => type === 'user.passkey_doubted')
      expect(doubts.map(({ detail }) => detail)).toEqual(isDoubted ? [`{"passkey_id":"${passkey.id}"}`] : [])
      expect(inbox.all(ada.email)).toHaveLength(mails + Number(isDoubted))
    }
    expect(await rowOf('passkeys')).toMatchObject({ sign_count: 8 })
  })

  it('that always goes back fills no table: two hundred of a day are recorded', async ({ service, anonymous, ada }) => {
    const { authenticator } = await givePasskey(ada, { isSynced: false })
    await anonymous.signInWithPasskey(await answerTo(anonymous, authenticator, { signCount: 7 }))
    const doubt = { type: 'user.passkey_doubted', actorId: ada.id, userId: ada.id } as const
    await insertAuditEvents(
      Array.from({ length: ceilings.userEventsPerDay - 1 }, () => ({ ...doubt, id: uuidv7(service.clock.now()) })),
    )
    for (const recorded of [['user.passkey_doubted', 'user.signed_in'], ['user.signed_in']]) {
      const body = await answerTo(anonymous, authenticator, { signCount: 7 })
      const { audit } = await observe(service, () => anonymous.signInWithPasskey(body).answer)
      expect(new Set(audit.map(({ type }) => type))).toEqual(new Set(recorded))
    }
  })

  it('of an authenticator that never counts means nothing', async ({ service, anonymous, ada }) => {
    const { authenticator } = await givePasskey(ada, { isSynced: false })
    for (let time = 0; time < 2; time++) {
      const body = await answerTo(anonymous, authenticator, { signCount: 0 })
      const { audit } = await observe(service, () => anonymous.signInWithPasskey(body).answer)
      expect(audit.map(({ type }) => type)).toEqual(['user.signed_in'])
    }
  })

  it('of a synced passkey means nothing', async ({ service, anonymous, ada }) => {
    const { authenticator } = await givePasskey(ada)
    for (const signCount of [5, 1]) {
      const body = await answerTo(anonymous, authenticator, { signCount })
      const { audit } = await observe(service, () => anonymous.signInWithPasskey(body).answer)
      expect(audit.map(({ type }) => type)).toEqual(['user.signed_in'])
    }
  })
})

describe('somebody who can write the database and has no secret', () => {
  it('cannot move a passkey to another account', async ({ anonymous, ada, eve }) => {
    const { authenticator } = await givePasskey(eve)
    await write('update passkeys set user_id = ?', ada.id)
    for (const userHandle of [undefined, base64url.encode(bytesOfUuid(ada.id))]) {
      const body = await answerTo(anonymous, authenticator, userHandle === undefined ? {} : { userHandle })
      await anonymous.signInWithPasskey(body).refused(401, 'invalid_passkey')
    }
  })

  it('cannot put the key of another passkey in, nor its binding', async ({ anonymous, ada, eve }) => {
    const [own, foreign] = [await givePasskey(ada), await givePasskey(eve)]
    const [mine, theirs] = await Promise.all([ada, eve].map(({ id }) => rowOf('passkeys', 'user_id = ?', id)))
    await write('update passkeys set public_key = ? where user_id = ?', theirs!['public_key']!, ada.id)
    const asAda = () =>
      answerTo(anonymous, foreign.authenticator, { userHandle: base64url.encode(bytesOfUuid(ada.id)) }).then(
        (body) => ({
          ...body,
          credential: { ...body.credential, id: own.authenticator.held[0]!.id },
        }),
      )
    await anonymous.signInWithPasskey(await asAda()).refused(401, 'invalid_passkey')
    await write('update passkeys set binding = ? where user_id = ?', theirs!['binding']!, ada.id)
    await anonymous.signInWithPasskey(await asAda()).refused(401, 'invalid_passkey')
    await write(
      'update passkeys set public_key = ?, binding = ? where user_id = ?',
      mine!['public_key']!,
      mine!['binding']!,
      ada.id,
    )
    await anonymous.signInWithPasskey(await answerTo(anonymous, own.authenticator))
  })

  it.for([
    { what: 'exchange the key', column: 'public_key' },
    { what: 'move the passkey', column: 'user_id' },
  ])('cannot $what while a response is verified', async ({ column }, { service, anonymous, ada, eve }) => {
    const { authenticator } = await givePasskey(ada)
    await givePasskey(eve)
    const theirs = await rowOf('passkeys', 'user_id = ?', eve.id)
    const { late, expectInterrupted } = interrupt(service, /^insert into "audit_events"/, () =>
      write(`update passkeys set ${column} = ? where user_id = ?`, theirs[column]!, ada.id),
    )
    const answer = await answerTo(anonymous, authenticator)
    await anonymous.at(late).signInWithPasskey(answer).refused(401, 'invalid_passkey')
    expectInterrupted()
    expect(await rowsOf('sessions', 'user_id = ?', ada.id)).toHaveLength(1)
  })

  it('cannot add a passkey of their own', async ({ anonymous, ada }) => {
    const binding = 'test-data.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
    const { authenticator } = await givePasskey(ada, {}, { binding })
    await anonymous.signInWithPasskey(await answerTo(anonymous, authenticator)).refused(401, 'invalid_passkey')
  })
})
