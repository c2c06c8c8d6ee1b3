/** A passkey in place of a code: after a password, and for a step-up. */
import { sql } from 'drizzle-orm'
import { describe, expect } from 'vitest'
import type { Ctx } from '../../src/context.ts'
import { passkeyRequestOptions } from '../../src/services/factors/passkey-options.ts'
import { type ChallengeBinding, verifyFactor } from '../../src/services/factors/proof.ts'
import { findFactors } from '../../src/store/factors.ts'
import { batch } from '../../src/store/batch.ts'
import { always } from '../../src/store/db.ts'
import type { Forgery } from '../support/authenticator.ts'
import { contextOf } from '../support/context.ts'
import { it as base } from '../support/fixtures.ts'
import { givePasskey } from '../support/passkeys.ts'
import type { Person } from '../support/person.ts'
import { rowOf, write } from '../support/state.ts'

const subject = '01934b2c-0000-7000-8000-000000000001'
const login: ChallengeBinding = { purpose: 'second_factor', subject }
const stepUp: ChallengeBinding = { purpose: 'step_up', subject }
const bit = { UP: 1, UV: 4, BE: 8, BS: 16 }
const unverified: Forgery = { flags: bit.UP | bit.BE | bit.BS }

const it = base.extend('ctx', async ({ service }) => contextOf(service))

/** @param asked what the options are made for, and `shown` what the response is presented for */
async function prove(
  ctx: Ctx,
  person: Person,
  given: Awaited<ReturnType<typeof givePasskey>>,
  { asked, shown = asked, forgery }: { asked: ChallengeBinding; shown?: ChallengeBinding; forgery?: Forgery },
) {
  const factors = await findFactors(ctx.db, person.id)
  const { challengeToken, publicKey } = await passkeyRequestOptions(ctx, asked, 'preferred', factors.passkeys)
  const credential = await given.authenticator.get(publicKey, forgery)
  return verifyFactor(ctx, person, factors, { passkey: { challengeToken, credential } }, shown)
}

describe('a passkey as a second factor', () => {
  it('may have verified its user or not after a password, and must have for a step-up', async ({ ctx, ada }) => {
    const given = await givePasskey(ada)
    expect((await prove(ctx, ada, given, { asked: login }))?.amr).toEqual(['pop', 'user', 'mfa'])
    expect((await prove(ctx, ada, given, { asked: login, forgery: unverified }))?.amr).toEqual(['pop', 'mfa'])
    expect((await prove(ctx, ada, given, { asked: stepUp }))?.amr).toEqual(['pop', 'user', 'mfa'])
    expect(await prove(ctx, ada, given, { asked: stepUp, forgery: unverified })).toBeUndefined()
  })

  it('needs no user handle, and no other one than that of its owner', async ({ ctx, ada, eve }) => {
    const given = await givePasskey(ada)
    const { userHandle } = (await givePasskey(eve)).authenticator.held[0]!
    expect(await prove(ctx, ada, given, { asked: login, forgery: { userHandle: null } })).toBeDefined()
    expect(await prove(ctx, ada, given, { asked: login, forgery: { userHandle } })).toBeUndefined()
  })

  it('answers only a challenge of its purpose and its sign-in or session', async ({ ctx, ada }) => {
    const given = await givePasskey(ada)
    const another = { ...login, subject: '01934b2c-0000-7000-8000-000000000002' }
    for (const shown of [stepUp, another]) {
      expect(await prove(ctx, ada, given, { asked: login, shown })).toBeUndefined()
    }
    expect(await prove(ctx, ada, given, { asked: stepUp, shown: login })).toBeUndefined()
  })

  it('is one of the account', async ({ ctx, ada, eve }) => {
    const [own, foreign] = [await givePasskey(ada), await givePasskey(eve)]
    const factors = await findFactors(ctx.db, ada.id)
    const { challengeToken, publicKey } = await passkeyRequestOptions(ctx, login, 'preferred')
    const credential = await foreign.authenticator.get(publicKey)
    for (const id of [credential.id, own.authenticator.held[0]!.id]) {
      const response = { passkey: { challengeToken, credential: { ...credential, id } } }
      expect(await verifyFactor(ctx, ada, factors, response, login)).toBeUndefined()
    }
  })

  it('is one that was bound to its account with a key that is not in the database', async ({ ctx, ada, eve }) => {
    const own = await givePasskey(ada, {}, { binding: `test-data.${'A'.repeat(43)}` })
    const moved = await givePasskey(eve)
    await write('update passkeys set user_id = ? where user_id = ?', ada.id, eve.id)
    for (const asked of [login, stepUp]) {
      expect(await prove(ctx, ada, own, { asked })).toBeUndefined()
      expect(await prove(ctx, ada, moved, { asked, forgery: { userHandle: null } })).toBeUndefined()
    }
  })

  it('counts once', async ({ ctx, ada }) => {
    const proof = await prove(ctx, ada, await givePasskey(ada), { asked: login })
    const counts = async () => (await ctx.db.run(sql`select 1 where ${proof!.guard}`)).results.length > 0
    expect(await counts()).toBe(true)
    await batch(ctx.db, proof!.consume(always))
    expect(await counts()).toBe(false)
    expect((await rowOf('passkeys'))['last_used_at']).toBe(ctx.now().getTime())
  })
})
