/**
 * The whole life of accounts and sessions against a model of it: anything in any order, and after every run the tables
 * must be what the model says. `npm run model` does many more; a failure prints what to set to see it again.
 */
import * as fc from 'fast-check'
import { env } from 'cloudflare:workers'
import { beforeEach, expect, it, vi } from 'vitest'
import { captureLog } from '../support/log-lines.ts'
import { enrolPasskey } from '../support/passkeys.ts'
import { peopleOf } from '../support/population.ts'
import { takeImage } from '../support/store-image.ts'
import { tally } from './model/command.ts'
import { commandNames, commands } from './model/commands.ts'
import { answered, start, startStrictService } from './model/real.ts'
import {
  expectFactors,
  expectInvariants,
  expectNoPlaintext,
  expectRevocations,
  expectStrengths,
  expectTables,
  expectTrail,
} from './model/tables.ts'

const { commands: wanted, seed, path, replayPath } = env.MODEL
const maxCommands = 120
const runsAtOnce = 8

/** What shows that the runs get somewhere. */
const often = [
  'POST /auth/register: 202',
  'POST /auth/activate: 200',
  'POST /auth/activate: invalid_link',
  'POST /auth/login: 200',
  'POST /auth/login: invalid_credentials',
  'POST /auth/login: account_suspended',
  'POST /auth/refresh: 200',
  'POST /auth/refresh: invalid_refresh_token',
  'POST /auth/refresh: refresh_token_reused',
  'POST /auth/change-password: 204',
  'POST /auth/password-reset/complete: 204',
  'POST /users/{id}/password-reset: 202',
  'GET /users/me: 200',
  'GET /auth/verify: invalid_token',
  'DELETE /users/{id}: 204',
  'POST /users/me/totp/confirm: 201',
  'POST /users/me/passkeys: 201',
  'POST /auth/login: second_factor_required',
  'POST /auth/second-factor: 200',
  'POST /auth/login: 200, on a trusted device',
  'POST /auth/second-factor: wrong_second_factor',
  'POST /auth/second-factor: invalid_factor_token',
  'POST /auth/passkey: 200',
  'POST /auth/step-up: 200',
  'DELETE /users/{id}/factors: 204',
  'POST /users/me/email/confirm: 200',
  'POST /auth/email/revert: 204',
]
/** Not in every run of CI. */
const sometimes = [
  'POST /auth/change-password: 200',
  'POST /auth/login: rate_limited',
  'POST /auth/change-password: wrong_password',
  'POST /auth/activate: invalid_credentials',
  'POST /auth/activate: rate_limited',
  'POST /auth/login: account_pending',
  'POST /auth/change-password: invalid_refresh_token',
  'POST /auth/change-password: rate_limited',
  'DELETE /users/me: 204',
  'DELETE /users/me: wrong_password',
  'DELETE /users/me/sessions/{id}: not_found',
  'POST /users/me/totp/confirm: wrong_mail_code',
  'POST /users/me/totp/confirm: wrong_second_factor',
  'POST /users/me/totp/confirm: invalid_setup',
  'POST /users/me/totp: insufficient_user_authentication',
  'DELETE /users/me/totp: 204',
  'PATCH /users/me/passkeys/{id}: 200',
  'DELETE /users/me/passkeys/{id}: last_factor',
  'POST /users/me/recovery-codes: 200',
  'POST /auth/second-factor: rate_limited',
  'POST /auth/passkey: account_suspended',
  'POST /auth/step-up: wrong_password',
  'POST /users/me/email: email_recently_changed',
  'POST /users/me/email: insufficient_user_authentication',
  'PATCH /users/me: insufficient_user_authentication',
  'GET /users/me/sessions: factor_enrolment_required',
]
const manyCommands = 20_000

const count = () => [...tally.values()].reduce((sum, each) => sum + each, 0)

beforeEach(() => void captureLog())

it(`holds for ${wanted} commands in any order, from seed ${seed}`, { timeout: 3_600_000 }, async () => {
  const service = startStrictService()
  const admin = await peopleOf(service).admin()
  const { authenticator } = await enrolPasskey(admin)
  await service.deliver()
  const image = await takeImage()
  const property = fc.asyncProperty(
    fc.commands(commands, { maxCommands, size: 'max', ...(replayPath && { replayPath }) }),
    async (run) => {
      const { model, real } = await start({ image, admin, authenticator })
      await fc.asyncModelRun(() => ({ model, real }), run)
      await expectTables(model)
      await expectFactors(model)
      await expectStrengths(model)
      await expectNoPlaintext(model)
      await expectTrail(model)
      await expectRevocations(model)
      await expectInvariants()
    },
  )

  if (path !== undefined) {
    await fc.assert(property, { seed, path, endOnFailure: true })
    return
  }
  for (let round = 0; count() < wanted; round++) {
    // A seed of its own for each round: what fast-check prints of a failure replays that round alone.
    await fc.assert(property, { seed: seed + round, numRuns: runsAtOnce })
  }
  vi.restoreAllMocks()
  console.log(`${count()} commands from seed ${seed}`, Object.fromEntries([...tally, ...answered]))
  expect([...tally.keys()].toSorted()).toEqual(commandNames.toSorted())
  expect([...answered.keys()]).toEqual(expect.arrayContaining(wanted < manyCommands ? often : [...often, ...sometimes]))
})
