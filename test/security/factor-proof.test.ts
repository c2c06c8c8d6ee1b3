/** What a code proves, how often, and that the database alone proves nothing. */
import { env } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import type { Ctx } from '../../src/context.ts'
import { sealData } from '../../src/crypto/data-keys.ts'
import { parseSecretKeys } from '../../src/crypto/keys.ts'
import { digestsOfCode, newRecoveryCode } from '../../src/crypto/recovery-code.ts'
import { newSeed } from '../../src/crypto/totp.ts'
import { type FactorResponse, verifyFactor } from '../../src/services/factors/proof.ts'
import { auditEvent } from '../../src/services/audit/trail.ts'
import { happened, insertAuditEvent } from '../../src/store/audit.ts'
import { batch } from '../../src/store/batch.ts'
import { findFactors } from '../../src/store/factors.ts'
import { contextOf } from '../support/context.ts'
import { App, type GivenFactors, giveFactors } from '../support/factors.ts'
import { it as test } from '../support/fixtures.ts'
import type { Person } from '../support/person.ts'
import { atOnce } from '../support/race.ts'
import { rowOf, rowsOf, write } from '../support/state.ts'

const challenge = { purpose: 'second_factor', subject: 'x' } as const

async function prove(ctx: Ctx, person: Person, response: FactorResponse) {
  return verifyFactor(ctx, person, await findFactors(ctx.db, person.id), response, challenge)
}

/** Proves a factor and uses it up, as a sign-in or a step-up does. Whether it counted. */
async function use(ctx: Ctx, person: Person, response: FactorResponse): Promise<boolean> {
  const proof = await prove(ctx, person, response)
  if (!proof) return false
  const event = auditEvent(ctx, 'user.stepped_up', { actorId: person.id, userId: person.id })
  const { decided } = await batch(
    ctx.db,
    { decided: insertAuditEvent(ctx.db, event, proof.guard) },
    proof.consume(happened(event.id)),
  )
  return decided.length > 0
}

const it = test
  .extend('given', async ({ ada, clock }): Promise<GivenFactors> => giveFactors(ada.id, clock))
  .extend('ctx', async ({ service }) => contextOf(service))

describe('a code of an authenticator app', () => {
  it('counts once, and so does every step', async ({ ctx, ada, given: { app }, clock }) => {
    const code = app.code()
    expect(await use(ctx, ada, { totp: app.wrongCode() })).toBe(false)
    expect(await use(ctx, ada, { totp: code })).toBe(true)
    expect(await rowOf('totps')).toMatchObject({ last_used_at: clock.now().getTime() })
    expect(await use(ctx, ada, { totp: code })).toBe(false)
    expect(await use(ctx, ada, { totp: app.code(-1) })).toBe(false)
    clock.advance(30_000)
    expect(await use(ctx, ada, { totp: code })).toBe(false)
    expect(await use(ctx, ada, { totp: app.code() })).toBe(true)
  })

  it('counts once for twenty callers at once', async ({ ctx, ada, given: { app }, clock }) => {
    for (let round = 0; round < env.RACE_ROUNDS; round++) {
      const code = app.code()
      const counted = await atOnce(() => use(ctx, ada, { totp: code }))
      expect(counted.filter(Boolean)).toHaveLength(1)
      clock.advance(60_000)
    }
  })

  it('counts no more when the authenticator app was replaced or removed meanwhile', async ({
    ctx,
    ada,
    given: { app },
  }) => {
    const proof = await prove(ctx, ada, { totp: app.code() })
    const count = async () => {
      const event = auditEvent(ctx, 'user.stepped_up', { actorId: ada.id, userId: ada.id })
      return (await insertAuditEvent(ctx.db, event, proof!.guard)).length
    }
    const { secret } = await rowOf('totps')
    await write("update totps set secret = 'of another app'")
    expect(await count()).toBe(0)
    await write('update totps set secret = ?', String(secret))
    expect(await count()).toBe(1)
    await write('delete from totps')
    expect(await count()).toBe(0)
  })

  it('proves nothing for an account without an app', async ({ ctx, eve, given: { app } }) => {
    expect(await use(ctx, eve, { totp: app.code() })).toBe(false)
  })
})

describe('a recovery code', () => {
  it('counts once, in any spelling, and its owner is told how many are left', async ({
    ctx,
    ada,
    given: { recoveryCodes },
    service,
  }) => {
    for (const [used, code] of recoveryCodes.entries()) {
      expect(await use(ctx, ada, { recoveryCode: code.toLowerCase().replaceAll('-', ' ') })).toBe(true)
      expect(await use(ctx, ada, { recoveryCode: code })).toBe(false)
      const left = recoveryCodes.length - used - 1
      expect(await rowsOf('recovery_codes')).toHaveLength(left)
      const [event] = (await rowsOf('audit_events', "type = 'user.recovery_code_used'")).slice(-1)
      expect(JSON.parse(String(event!['detail']))).toEqual({ left })
      const [notice] = (await rowsOf('emails', "template = 'recovery_code_used'")).slice(-1)
      if (used < 5) expect(JSON.parse(String(notice!['params']))).toMatchObject({ left })
      service.clock.advance(1000)
    }
  })

  it('counts once for twenty callers at once', async ({ ctx, ada, eve, clock, given }) => {
    // One account has fewer codes than there are rounds.
    const others = await giveFactors(eve.id, clock)
    const codes = [
      ...given.recoveryCodes.map((recoveryCode) => ({ owner: ada, recoveryCode })),
      ...others.recoveryCodes.map((recoveryCode) => ({ owner: eve, recoveryCode })),
    ]
    for (const { owner, recoveryCode } of codes.slice(0, env.RACE_ROUNDS)) {
      const counted = await atOnce(() => use(ctx, owner, { recoveryCode }))
      expect(counted.filter(Boolean)).toHaveLength(1)
    }
    expect(await rowsOf('recovery_codes')).toHaveLength(codes.length - env.RACE_ROUNDS)
    expect(await rowsOf('audit_events', "type = 'user.recovery_code_used'")).toHaveLength(env.RACE_ROUNDS)
  })

  it('is for its own account alone', async ({ ctx, eve, clock, given: { recoveryCodes } }) => {
    await giveFactors(eve.id, clock)
    expect(await use(ctx, eve, { recoveryCode: recoveryCodes[0]! })).toBe(false)
    expect(await use(ctx, eve, { recoveryCode: '' })).toBe(false)
  })
})

describe('somebody who can read and write the database but has no key', () => {
  /** Another key, under the name of the real one. */
  const ownKeys = parseSecretKeys(
    JSON.stringify({ keys: [{ kty: 'oct', kid: 'test-data', k: btoa('x'.repeat(32)).replaceAll('=', '') }] }),
  )

  it('cannot give an account the authenticator app of another one', async ({ ctx, ada, eve, clock, given }) => {
    const own = await giveFactors(eve.id, clock)
    const { secret } = await rowOf('totps', 'user_id = ?', eve.id)
    await write('update totps set secret = ? where user_id = ?', String(secret), ada.id)
    for (const { app } of [own, given]) expect(await use(ctx, ada, { totp: app.code() })).toBe(false)
    // The row itself is good where it belongs.
    expect(await use(ctx, eve, { totp: own.app.code() })).toBe(true)
  })

  it('cannot give an account a recovery code of another one', async ({ ctx, ada, eve, clock, given }) => {
    const { recoveryCodes } = await giveFactors(eve.id, clock)
    await write('update recovery_codes set user_id = ? where user_id = ?', ada.id, eve.id)
    for (const recoveryCode of recoveryCodes) expect(await use(ctx, ada, { recoveryCode })).toBe(false)
    expect(await use(ctx, ada, { recoveryCode: given.recoveryCodes[0]! })).toBe(true)
  })

  it('cannot seal a seed or make a code with a key of the same name', async ({ ctx, ada, clock, given }) => {
    const seed = newSeed()
    await write('update totps set secret = ?', await sealData(ownKeys, 'totp-seed', [ada.id], seed))
    expect(await use(ctx, ada, { totp: new App(seed, clock).code() })).toBe(false)
    const recoveryCode = newRecoveryCode()
    const [digest] = await digestsOfCode(ownKeys, ada.id, recoveryCode)
    const [row] = await rowsOf('recovery_codes')
    await write('update recovery_codes set digest = ? where digest = ?', digest!, String(row!['digest']))
    expect(await use(ctx, ada, { recoveryCode })).toBe(false)
    expect(await use(ctx, ada, { totp: given.app.code() })).toBe(false)
  })

  it('reads no seed and no code', async ({ given: { app, recoveryCodes } }) => {
    const kept = JSON.stringify([await rowsOf('totps'), await rowsOf('recovery_codes')])
    for (const code of recoveryCodes) expect(kept).not.toContain(code.replaceAll('-', ''))
    expect(kept).not.toContain(app.secret)
    expect(kept).not.toContain(app.secretInBase64)
  })
})
