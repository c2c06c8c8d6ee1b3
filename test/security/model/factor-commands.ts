/** Adding, removing and renewing second factors. */
import * as fc from 'fast-check'
import { expect } from 'vitest'
import type { Success } from '../../support/api.ts'
import { createAuthenticator } from '../../support/authenticator.ts'
import { minute } from '../../support/clock.ts'
import { App } from '../../support/factors.ts'
import {
  address,
  administrationOf,
  bearer,
  command,
  deliverAll,
  hasSession,
  newest,
  pick,
  pickSignedIn,
  which,
} from './command.ts'
import {
  type MailCode,
  addPasskey,
  confirmApp,
  removeApp,
  removePasskey,
  renamePasskey,
  renewRecoveryCodes,
  requestMailCode,
  resetFactors,
  startApp,
  startPasskey,
  stepOf,
} from './factors.ts'
import type { Account, Session, Setup } from './facts.ts'
import type { Model } from './model.ts'
import type { Real } from './real.ts'
import { factorsIdOf, hasFactors, mustHaveFactor } from './strength.ts'

/** What is sent of the codes that were mailed. */
const code = fc.constantFrom('none', 'mailed', 'mailed', 'wrong')

interface Sent {
  meant: MailCode
  body: { mail_code?: string }
}

function chooseCode({ mailCodes }: Session, code: string): Sent {
  const mailed = code === 'mailed' ? mailCodes.at(-1) : undefined
  if (mailed) return { meant: mailed, body: { mail_code: mailed.text } }
  return code === 'none' ? { meant: undefined, body: {} } : { meant: 'wrong', body: { mail_code: '00000000' } }
}

/** Looks at the codes in an answer. They come with the first factor. */
function keepCodes(model: Model, account: Account, isExpected: boolean, json: unknown): void {
  const { recovery_codes: codes } = json as { recovery_codes?: string[] }
  expect(codes?.length).toBe(isExpected ? 8 : undefined)
  if (!codes) return
  account.recoveryCodes = codes
  model.codes.push(...codes)
}

async function askForCode(model: Model, real: Real, session: Session): Promise<void> {
  await bearer(real, 'POST', '/users/me/factors/code', session, requestMailCode(model, session))
}

async function beginApp(model: Model, real: Real, session: Session): Promise<Setup | undefined> {
  const { status, json } = await bearer(real, 'POST', '/users/me/totp', session, startApp(model, session))
  if (status !== 200) return undefined
  const { setup_token: text, secret } = json as Success<'startTotp'>
  const app = new App(secret, real.service.clock)
  const factorsId = factorsIdOf(session.account)
  const setup = { session, factorsId, expiresAt: model.now + 10 * minute, text, app }
  model.setups.push(setup)
  return setup
}

/** @param steps how many steps the clock of the app is ahead; `null` for a wrong code */
async function finishApp(model: Model, real: Real, session: Session, setup: Setup, steps: number | null, sent: Sent) {
  const isFirst = !hasFactors(session.account)
  const step = steps === null ? undefined : stepOf(model.now) + steps
  const expected = confirmApp(model, session, setup, step, sent.meant)
  const shown = steps === null ? setup.app.wrongCode() : setup.app.code(steps)
  const body = { setup_token: setup.text, code: shown, ...sent.body }
  const { json } = await bearer(real, 'POST', '/users/me/totp/confirm', session, expected, body)
  if (expected.outcome === 201) keepCodes(model, session.account, isFirst, json)
}

/** Asks for a code and reads it, if the account needs one. */
async function needCode(model: Model, real: Real, session: Session): Promise<Sent> {
  if (!mustHaveFactor(session.account) || hasFactors(session.account)) return chooseCode(session, 'none')
  await askForCode(model, real, session)
  await deliverAll(model, real)
  return chooseCode(session, 'mailed')
}

export async function enrolApp(model: Model, real: Real, session: Session): Promise<void> {
  const setup = await beginApp(model, real, session)
  if (setup) await finishApp(model, real, session, setup, 0, await needCode(model, real, session))
}

async function enrolPasskey(model: Model, real: Real, session: Session, choose: () => Promise<Sent>): Promise<void> {
  const options = await bearer(real, 'POST', '/users/me/passkeys/options', session, startPasskey(model, session))
  if (options.status !== 200) return
  const { challenge_token, public_key } = options.json as Success<'passkeyEnrolmentOptions'>
  const authenticator = createAuthenticator()
  const credential = await authenticator.create(public_key)
  const sent = await choose()
  const isFirst = !hasFactors(session.account)
  const expected = addPasskey(model, session, authenticator, sent.meant)
  const body = { challenge_token, credential, ...sent.body }
  const { json } = await bearer(real, 'POST', '/users/me/passkeys', session, expected, body)
  if (expected.outcome !== 201) return
  model.passkeys.at(-1)!.id = (json as Success<'addPasskey'>).id
  keepCodes(model, session.account, isFirst, json)
}

export const factorCommands = [
  command<[number]>(
    'ask for a code',
    [which],
    (index) => async (model, real) => askForCode(model, real, pickSignedIn(model, index)),
    hasSession,
  ),
  command<[number]>(
    'start an app',
    [which],
    (index) => async (model, real) => void (await beginApp(model, real, pickSignedIn(model, index))),
    hasSession,
  ),
  command<[number, number | null, number | null, string]>(
    'confirm an app',
    [which, fc.option(which, { freq: 3 }), fc.constantFrom(0, 0, 1, -1, 2, -2, null), code],
    (index, other, steps, given) => async (model, real) => {
      const setup = pick(model.setups, index)
      const session = other === null ? setup.session : pickSignedIn(model, other)
      await finishApp(model, real, session, setup, steps, chooseCode(session, given))
    },
    ({ setups }) => setups.length > 0,
  ),
  command<[number]>(
    'enrol an app',
    [which],
    (index) => async (model, real) => enrolApp(model, real, pickSignedIn(model, index)),
    hasSession,
  ),
  command<[number, string]>(
    'try to enrol a passkey',
    [which, code],
    (index, given) => async (model, real) => {
      const session = pickSignedIn(model, index)
      await enrolPasskey(model, real, session, async () => chooseCode(session, given))
    },
    hasSession,
  ),
  command<[number]>(
    'enrol a passkey',
    [which],
    (index) => async (model, real) => {
      const session = pickSignedIn(model, index)
      await enrolPasskey(model, real, session, () => needCode(model, real, session))
    },
    hasSession,
  ),
  command<[number]>(
    'remove the app',
    [which],
    (index) => async (model, real) => {
      const session = pickSignedIn(model, index)
      await bearer(real, 'DELETE', '/users/me/totp', session, removeApp(model, session))
    },
    hasSession,
  ),
  command<[number, number]>(
    'remove a passkey',
    [which, which],
    (index, other) => async (model, real) => {
      const session = pickSignedIn(model, index)
      // Those of others too, and those that are gone.
      const passkey = pick(model.passkeys, other)
      await bearer(real, 'DELETE', `/users/me/passkeys/${passkey.id}`, session, removePasskey(model, session, passkey))
    },
    (model) => hasSession(model) && model.passkeys.length > 0,
  ),
  command<[number, number, string]>(
    'rename a passkey',
    [which, which, fc.constantFrom('Passkey', 'Laptop', 'Phone')],
    (index, other, name) => async (model, real) => {
      const session = pickSignedIn(model, index)
      const passkey = pick(model.passkeys, other)
      const expected = renamePasskey(model, session, passkey, name)
      await bearer(real, 'PATCH', `/users/me/passkeys/${passkey.id}`, session, expected, { name })
    },
    (model) => hasSession(model) && model.passkeys.length > 0,
  ),
  command<[number]>(
    'renew the recovery codes',
    [which],
    (index) => async (model, real) => {
      const session = pickSignedIn(model, index)
      const expected = renewRecoveryCodes(model, session)
      const { json } = await bearer(real, 'POST', '/users/me/recovery-codes', session, expected)
      if (expected.outcome === 200) keepCodes(model, session.account, true, json)
    },
    hasSession,
  ),
  command<[number]>(
    'look at the factors',
    [which],
    (index) => async (model, real) => {
      const session = pickSignedIn(model, index)
      const { status, json } = await newest(real, '/users/me/factors', session, model.me(session))
      if (status !== 200) return
      const { passkeys, app, recoveryCodes } = session.account
      const factors = json as Success<'getMyFactors'>
      const named = ({ id, name }: { id: string; name: string }) => ({ id, name })
      expect(factors.passkeys.map(named)).toEqual(passkeys.map(named))
      expect(factors.totp?.created_at).toBe(app && new Date(app.addedAt).toISOString())
      expect(factors.recovery_codes).toBe(recoveryCodes.length)
    },
    hasSession,
  ),
  command<[string]>('reset the factors of', [address], (email) =>
    administrationOf(email, 'DELETE', '/factors', resetFactors, { reason: 'model' }),
  ),
]
