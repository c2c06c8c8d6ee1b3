/** `DATA_KEYS` are replaced while the service runs: second factors work until the key that they are under is retired. */
import { env } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import type { Ctx } from '../../src/context.ts'
import { parseSecretKeys } from '../../src/crypto/keys.ts'
import { passkeyRequestOptions } from '../../src/services/factors/passkey-options.ts'
import { type FactorResponse, verifyFactor } from '../../src/services/factors/proof.ts'
import { findFactors } from '../../src/store/factors.ts'
import { readSet } from '../../tools/keys/key-set.ts'
import { rewrap } from '../../tools/keys/rewrap.ts'
import { usesOf } from '../../tools/keys/uses.ts'
import type { Query } from '../../tools/query.ts'
import { contextOf } from '../support/context.ts'
import { type GivenFactors, giveFactors } from '../support/factors.ts'
import { it as test } from '../support/fixtures.ts'
import { type Given, givePasskey } from '../support/passkeys.ts'
import type { Person } from '../support/person.ts'
import type { Service } from '../support/service.ts'
import { rowsOf } from '../support/state.ts'

const [old] = readSet(env.DATA_KEYS)
const added = { kty: 'oct', kid: 'new', k: 'bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LW5ldzI' }

const stages = {
  before: [old],
  announced: [old, added],
  promoted: [added, old],
  retired: [added],
}
type Stage = keyof typeof stages
const ringOf = (stage: Stage) => JSON.stringify({ keys: stages[stage] })

const contextAt = (service: Service, stage: Stage) => contextOf(service, { DATA_KEYS: ringOf(stage) })

const challenge = { purpose: 'second_factor', subject: '01934b2c-0000-7000-8000-000000000001' } as const

/** Which kinds of factor prove something at this stage. Uses none of them up. */
async function proven(ctx: Ctx, person: Person, { app, recoveryCodes, passkey }: GivenFactors & { passkey: Given }) {
  const factors = await findFactors(ctx.db, person.id)
  const { challengeToken, publicKey } = await passkeyRequestOptions(ctx, challenge, 'preferred', factors.passkeys)
  const responses: FactorResponse[] = [
    { totp: app.code() },
    { recoveryCode: recoveryCodes[0]! },
    { passkey: { challengeToken, credential: await passkey.authenticator.get(publicKey) } },
  ]
  const proofs = await Promise.all(responses.map((response) => verifyFactor(ctx, person, factors, response, challenge)))
  return proofs.flatMap((proof) => proof?.kind ?? [])
}

const all = ['totp', 'recovery_code', 'passkey']

/** As `npm run keys` asks the database. */
const query: Query = async (sql) => {
  const answers = await env.DB.batch<Record<string, unknown>>(sql.split(';\n').map((each) => env.DB.prepare(each)))
  return answers.at(-1)!.results
}

const it = test.extend('given', async ({ ada, clock }) => {
  const given = await giveFactors(ada.id, clock)
  return { ...given, passkey: await givePasskey(ada) }
})

describe('the keys of second factors', () => {
  it('are announced, promoted and retired after a rewrap, and no factor is refused early', async ({
    service,
    ada,
    given,
  }) => {
    for (const stage of ['before', 'announced', 'promoted'] as const) {
      expect(await proven(await contextAt(service, stage), ada, given), stage).toEqual(all)
    }
    const done = await rewrap(query, parseSecretKeys(ringOf('promoted')), () => undefined)
    expect(done.map(({ count, refused }) => [count, refused])).toEqual([
      [1, []],
      [1, []],
    ])
    // A Worker that has not heard of the promotion yet.
    expect(await proven(await contextAt(service, 'announced'), ada, given)).toEqual(all)
    expect(await proven(await contextAt(service, 'promoted'), ada, given)).toEqual(all)
    expect(await usesOf(query, 'DATA_KEYS', old.kid)).toEqual(['8 recovery codes'])
    expect(await proven(await contextAt(service, 'retired'), ada, given)).toEqual(['totp', 'passkey'])
  })

  it('take every factor along when they are lost', async ({ service, ada, given }) => {
    expect(await proven(await contextAt(service, 'retired'), ada, given)).toEqual([])
  })

  it('are rewrapped without a change of anything else', async ({ ada, given }) => {
    expect(given.passkey.passkey.userId).toBe(ada.id)
    const columns = async () => {
      const [totp] = await rowsOf('totps')
      const [passkey] = await rowsOf('passkeys')
      return {
        totp: { ...totp, secret: '' },
        passkey: { ...passkey, binding: '' },
        codes: await rowsOf('recovery_codes'),
      }
    }
    const before = await columns()
    await rewrap(query, parseSecretKeys(ringOf('promoted')), () => undefined)
    expect(await columns()).toEqual(before)
  })
})
