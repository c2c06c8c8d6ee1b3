/** /users/me/passkeys: what a user may do with the own passkeys. */
import { describe, expect } from 'vitest'
import { expectProblem, instant, uuidv7 } from '../support/answers.ts'
import type { BodyOf } from '../support/api.ts'
import { type Authenticator, type Forgery, createAuthenticator } from '../support/authenticator.ts'
import { unknownId } from '../support/calls.ts'
import { minute } from '../support/clock.ts'
import { enrolApp } from '../support/factors.ts'
import { it } from '../support/fixtures.ts'
import { enrolPasskey, givePasskey } from '../support/passkeys.ts'
import { type Person, expectAlive, expectEnded, goodPassword } from '../support/person.ts'
import { startService } from '../support/service.ts'
import { nothing, observe, rowOf, rowsOf, write } from '../support/state.ts'
import { proveIn, strengths } from '../support/strength.ts'

const ofSession = (person: Person) => rowOf('sessions', 'id = ?', person.sessionId)
const factorsIdOf = async (person: Person) => (await rowOf('users', 'id = ?', person.id))['factors_id']
const recoveryCode = expect.stringMatching(/^([0-9A-HJKMNP-TV-Z]{4}-){5}[0-9A-HJKMNP-TV-Z]{4}$/)
/** The subject of the count of changes of factors, in hexadecimal. */
const factorChanges = ({ id }: Person) => `${id.replaceAll('-', '')}05`

type Addition = BodyOf<'addPasskey'>

async function registration(
  person: Person,
  authenticator: Authenticator = createAuthenticator(),
  forgery?: Forgery,
): Promise<Addition> {
  const { challenge_token, public_key } = await person.passkeyEnrolmentOptions()
  return { challenge_token, credential: await authenticator.create(public_key, forgery) }
}

describe('POST /users/me/passkeys/options', () => {
  it('asks for a discoverable credential of a verified user, and stores nothing', async ({ service, ada }) => {
    const { answer, effects } = await observe(service, () => ada.passkeyEnrolmentOptions().answer)
    const { challenge_token, public_key } = answer.json as { challenge_token: string; public_key: object }
    expect(public_key).toEqual({
      challenge: challenge_token,
      rp: { id: 'accounts.example.com', name: 'Postern' },
      user: { id: expect.stringMatching(/^[\w-]{22}$/), name: ada.email, displayName: ada.email },
      pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: 'public-key', alg })),
      timeout: 300_000,
      excludeCredentials: [],
      authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
      attestation: 'none',
      extensions: { credProps: true },
    })
    expect(effects).toEqual(nothing)
  })

  it('excludes the passkeys that the account has, so that an authenticator makes no second one', async ({ ada }) => {
    const { authenticator } = await enrolPasskey(ada)
    const { public_key } = await ada.passkeyEnrolmentOptions()
    expect(public_key.excludeCredentials).toEqual([
      { type: 'public-key', id: authenticator.held[0]!.id, transports: ['hybrid', 'internal'] },
    ])
    await expect(registration(ada, authenticator)).rejects.toThrow('refused')
  })
})

describe('POST /users/me/passkeys', () => {
  it('adds the first factor, with eight recovery codes and a notice', async ({ service, ada }) => {
    const other = await ada.signIn()
    const body = await registration(ada, createAuthenticator({ aaguid: '08987058cadc4b81b6e130de50dcbe96' }))
    const { answer, effects } = await observe(service, () => ada.addPasskey(body).answer)
    expect(answer.status).toBe(201)
    expect(answer.json).toEqual({
      id: uuidv7,
      name: 'Passkey',
      created_at: service.clock.now().toISOString(),
      last_used_at: null,
      backed_up: true,
      aaguid: '08987058-cadc-4b81-b6e1-30de50dcbe96',
      transports: ['hybrid', 'internal'],
      recovery_codes: Array.from({ length: 8 }, () => recoveryCode),
    })
    expect(effects).toEqual({
      rows: { audit_events: '+1', emails: '+1', passkeys: '+1', recovery_codes: '+8', sessions: '~1', users: '~1' },
      events: [{ type: 'user.factor_added', actor: ada.id, user: ada.id, detail: { kind: 'passkey' } }],
      revoked: [],
      mails: ['ada@example.com: New second factor for your Postern account'],
    })
    await expectAlive(other)
  })

  it('lifts this session and no other one', async ({ ada }) => {
    const other = await ada.signIn()
    await enrolPasskey(ada)
    expect(await ofSession(ada)).toMatchObject({
      amr: '["pwd","pop","user","mfa"]',
      authenticated_at: expect.any(Number),
    })
    expect(await ofSession(other)).toMatchObject({ amr: null })
  })

  it('replaces the code in the strength of the session, and leaves the password', async ({ ada }) => {
    await proveIn(ada, strengths.code)
    await enrolPasskey(ada)
    expect(await ofSession(ada)).toMatchObject({ amr: '["pwd","pop","user","mfa"]' })
  })

  it('shows in the list of factors, with its name, and can sign in', async ({ anonymous, clock, ada }) => {
    const { authenticator, id } = await enrolPasskey(ada, { name: ' Laptop ', algorithm: 'EdDSA', isSynced: false })
    const listed = {
      id,
      name: 'Laptop',
      created_at: instant,
      last_used_at: null,
      backed_up: false,
      transports: ['usb'],
    }
    expect((await ada.factors()).passkeys).toMatchObject([listed])
    const { challenge_token, public_key } = await anonymous.passkeySignInOptions()
    await anonymous.signInWithPasskey({ challenge_token, credential: await authenticator.get(public_key) })
    expect((await ada.factors()).passkeys).toMatchObject([{ ...listed, last_used_at: clock.now().toISOString() }])
  })

  it('gives no recovery codes with a further factor, and a new factors id', async ({ ada }) => {
    await enrolApp(ada)
    const before = await factorsIdOf(ada)
    const { recovery_codes } = await enrolPasskey(ada)
    expect(recovery_codes).toBeUndefined()
    expect(await factorsIdOf(ada)).not.toBe(before)
    expect(await rowsOf('recovery_codes')).toHaveLength(8)
  })

  it('keeps only transports that are words, and eight of them', async ({ ada }) => {
    const body = await registration(ada)
    const given = ['usb', 'NFC', '<b>', 'x'.repeat(40), 'ble', ...Array.from({ length: 9 }, () => 'hybrid')]
    const response = { ...body.credential.response, transports: given }
    const { transports } = await ada.addPasskey({ ...body, credential: { ...body.credential, response } })
    expect(transports).toEqual(['usb', 'ble', ...Array.from({ length: 6 }, () => 'hybrid')])
  })

  it('takes what clients send for nothing: null', async ({ ada }) => {
    const { challenge_token, credential } = await registration(ada)
    const response = { ...credential.response, transports: null }
    const raw = JSON.stringify({
      challenge_token,
      credential: { ...credential, response, clientExtensionResults: null },
      name: null,
      mail_code: null,
    })
    expect(await ada.call('addPasskey', { raw })).toMatchObject({ name: 'Passkey', transports: [] })
  })

  const flag = { UP: 1, UV: 4, BE: 8, BS: 16, AT: 64 }
  const forgeries: [string, Forgery][] = [
    ['no user verification', { flags: flag.UP | flag.BE | flag.AT }],
    ['no user presence', { flags: flag.UV | flag.BE | flag.AT }],
    ['a backup of what cannot have one', { flags: flag.UP | flag.UV | flag.BS | flag.AT }],
    ['another RP ID', { rpId: 'example.com' }],
    ['another origin', { clientData: { origin: 'https://evil.example.com' } }],
    ['a frame of another origin', { clientData: { topOrigin: 'https://evil.example.com' } }],
    ['the type of an assertion', { clientData: { type: 'webauthn.get' } }],
    ['another challenge', { clientData: { challenge: 'A'.repeat(43) } }],
    ['an algorithm that is not offered', { claimedAlgorithm: -35 }],
  ]

  it.for(forgeries)('is refused with 400 and no effect: %s', async ([, forgery], { service, ada }) => {
    const body = await registration(ada, createAuthenticator(), forgery)
    const { answer, effects } = await observe(service, () => ada.addPasskey(body).answer)
    expectProblem(answer, 400, 'invalid_passkey')
    expect(effects).toEqual(nothing)
  })

  it('is refused when the browser says that the credential is not discoverable', async ({ ada }) => {
    const { challenge_token, credential } = await registration(ada)
    const plain = { ...credential, clientExtensionResults: { credProps: { rk: false } } }
    await ada.addPasskey({ challenge_token, credential: plain }).refused(400, 'invalid_passkey')
  })

  it('answers a challenge of its own session and of the last five minutes', async ({ clock, anonymous, ada, eve }) => {
    const other = await ada.signIn()
    const body = await registration(ada)
    const { challenge_token } = await anonymous.passkeySignInOptions()
    for (const person of [other, eve]) await person.addPasskey(body).refused(400, 'invalid_passkey')
    await ada.addPasskey({ ...body, challenge_token }).refused(400, 'invalid_passkey')
    await ada.addPasskey({ ...body, challenge_token: 'x' }).refused(400, 'invalid_passkey')
    clock.advance(5 * minute + 1)
    await ada.addPasskey(body).refused(400, 'invalid_passkey')
  })

  it('is refused for a credential that any account has', async ({ service, ada, eve }) => {
    const authenticator = createAuthenticator()
    await enrolPasskey(ada, { authenticator })
    const { challenge_token, public_key } = await eve.passkeyEnrolmentOptions()
    // The same credential, for the challenge of somebody else: an authenticator does not do that.
    const copy = createAuthenticator({ keptId: authenticator.held[0]!.id })
    const body = { challenge_token, credential: await copy.create(public_key) }
    const { answer, effects } = await observe(service, () => eve.addPasskey(body).answer)
    expectProblem(answer, 409, 'passkey_exists')
    expect(effects).toEqual(nothing)
  })

  it('adds twenty, and no further one', async ({ service, ada }) => {
    for (let count = 0; count < 20; count++) await givePasskey(ada)
    await proveIn(ada, strengths.passkey)
    const { answer, effects } = await observe(service, async () => ada.addPasskey(await registration(ada)).answer)
    expectProblem(answer, 409, 'too_many')
    expect(effects).toEqual(nothing)
    await write('delete from passkeys where id = (select min(id) from passkeys)')
    await ada.addPasskey(await registration(ada))
  })

  it('ends all other sessions where the account must have a factor', async ({ service, ada }) => {
    const strict = ada.at(startService({ beside: service, env: { SECOND_FACTOR: 'all' } }))
    const other = await ada.signIn()
    await strict.addPasskey(await registration(strict))
    await expectEnded(other)
    await strict.me()
  })

  it('needs a code by email where the account must have a factor and the session began with a password', async ({
    service,
    people,
    ada,
  }) => {
    const strictly = startService({ beside: service, env: { SECOND_FACTOR: 'all' } })
    const later = (await people.signIn(ada.email, goodPassword)).at(strictly)
    await later.addPasskey(await registration(later)).refused(403, 'wrong_mail_code')
    const body = { ...(await registration(later)), mail_code: '00000000' }
    await later.addPasskey(body).refused(403, 'wrong_mail_code')
    expect(await rowsOf('passkeys')).toEqual([])
  })
})

describe('PATCH /users/me/passkeys/{id}', () => {
  it('renames a passkey and nothing else, on record and with a notice', async ({ service, ada }) => {
    const [other, { id }] = [await enrolPasskey(ada), await enrolPasskey(ada)]
    const before = await rowOf('passkeys', 'id = ?', id)
    const { answer, effects } = await observe(service, () => ada.renamePasskey(id, 'Blue key').answer)
    expect(answer).toMatchObject({ status: 200, json: { id, name: 'Blue key' } })
    expect(answer.json).not.toHaveProperty('recovery_codes')
    expect(effects).toEqual({
      rows: { audit_events: '+1', emails: '+1', passkeys: '~1' },
      events: [{ type: 'user.passkey_renamed', actor: ada.id, user: ada.id, detail: { passkey_id: id } }],
      revoked: [],
      mails: ['ada@example.com: A passkey of your Postern account has another name'],
    })
    expect(await rowOf('passkeys', 'id = ?', id)).toEqual({ ...before, name: 'Blue key' })
    expect(await rowOf('passkeys', 'id = ?', other.id)).toMatchObject({ name: 'Passkey' })
  })

  it('puts neither name into the trail, the outbox or the mail', async ({ service, ada, inbox }) => {
    const { id } = await enrolPasskey(ada, { name: 'Purple key' })
    await ada.renamePasskey(id, 'Orange key')
    await service.deliver()
    const { subject, html, text } = inbox.newest(ada.email)
    const kept = [await rowsOf('audit_events'), await rowsOf('emails'), subject, html, text]
    expect(JSON.stringify(kept)).not.toMatch(/purple|orange/i)
    expect(text).toContain('set a new password')
  })

  it('does nothing for the name that the passkey has', async ({ service, ada }) => {
    const { id } = await enrolPasskey(ada, { name: 'Blue key' })
    const { answer, effects } = await observe(service, () => ada.renamePasskey(id, ' Blue key ').answer)
    expect(answer).toMatchObject({ status: 200, json: { id, name: 'Blue key' } })
    expect(effects).toEqual(nothing)
    expect(await rowsOf('ceilings', 'subject = unhex(?)', factorChanges(ada))).toMatchObject([{ count: 1 }])
    // Another case is another name.
    await ada.renamePasskey(id, 'blue key')
    expect(await rowOf('passkeys', 'id = ?', id)).toMatchObject({ name: 'blue key' })
  })

  it('knows no passkey of another account', async ({ service, ada, eve }) => {
    const { id } = await enrolPasskey(ada)
    await enrolPasskey(eve)
    const { effects } = await observe(service, async () => {
      await eve.renamePasskey(id, 'Mine').refused(404, 'not_found')
      await eve.renamePasskey(id, 'Passkey').refused(404, 'not_found')
      await eve.renamePasskey(unknownId, 'Mine').refused(404, 'not_found')
    })
    expect(effects).toEqual(nothing)
    expect(await rowOf('passkeys', 'user_id = ?', ada.id)).toMatchObject({ name: 'Passkey' })
  })
})

describe('DELETE /users/me/passkeys/{id}', () => {
  it('removes the last factor, and the recovery codes with it', async ({ service, anonymous, ada }) => {
    const { id, authenticator } = await enrolPasskey(ada)
    const { challenge_token, public_key } = await anonymous.passkeySignInOptions()
    const credential = await authenticator.get(public_key)
    const { answer, effects } = await observe(service, () => ada.removePasskey(id).answer)
    expect(answer.status).toBe(204)
    expect(effects).toEqual({
      rows: { audit_events: '+1', emails: '+1', passkeys: '-1', recovery_codes: '-8', users: '~1' },
      events: [{ type: 'user.factor_removed', actor: ada.id, user: ada.id, detail: { kind: 'passkey' } }],
      revoked: [],
      mails: ['ada@example.com: Second factor removed from your Postern account'],
    })
    expect(await factorsIdOf(ada)).toBeNull()
    await anonymous.signInWithPasskey({ challenge_token, credential }).refused(401, 'invalid_passkey')
  })

  it('keeps the codes while there is another factor', async ({ ada }) => {
    const [first] = [await enrolPasskey(ada), await enrolPasskey(ada)]
    await ada.removePasskey(first.id)
    expect(await rowsOf('recovery_codes')).toHaveLength(8)
    expect(await factorsIdOf(ada)).not.toBeNull()
  })

  it('keeps the last factor where one is required', async ({ service, ada }) => {
    const [first, second] = [await enrolPasskey(ada), await enrolPasskey(ada)]
    const strict = ada.at(startService({ beside: service, env: { SECOND_FACTOR: 'all' } }))
    await strict.removePasskey(first.id)
    const { answer, effects } = await observe(service, () => strict.removePasskey(second.id).answer)
    expectProblem(answer, 409, 'last_factor')
    expect(effects).toEqual(nothing)
  })

  it('knows no passkey of another account', async ({ ada, eve }) => {
    const { id } = await enrolPasskey(ada)
    await enrolPasskey(eve)
    await eve.removePasskey(id).refused(404, 'not_found')
    await eve.removePasskey(unknownId).refused(404, 'not_found')
    expect(await rowsOf('passkeys')).toHaveLength(2)
  })
})

describe('a session that is not fresh', () => {
  it.for([
    { state: 'the password alone', amr: strengths.password, agoMs: 0 },
    { state: 'a passkey, more than ten minutes ago', amr: strengths.passkey, agoMs: 10 * minute + 1 },
  ])('changes no passkey: $state', async ({ amr, agoMs }, { service, ada }) => {
    const { id } = await enrolPasskey(ada)
    const body = await registration(ada)
    await proveIn(ada, amr, agoMs)
    const { effects } = await observe(service, async () => {
      const stale = [401, 'insufficient_user_authentication'] as const
      await ada.passkeyEnrolmentOptions().refused(...stale)
      await ada.addPasskey(body).refused(...stale)
      await ada.renamePasskey(id, 'Mine').refused(...stale)
      await ada.removePasskey(id).refused(...stale)
    })
    expect(effects).toEqual(nothing)
  })
})
