/** Signing in with more than a password: a second factor, a device that is trusted, a passkey alone. */
import * as fc from 'fast-check'
import { expect } from 'vitest'
import type { Success } from '../../support/api.ts'
import { minute } from '../../support/clock.ts'
import {
  address,
  administrationOf,
  bearer,
  command,
  keepDevice,
  passwords,
  pick,
  pickDevice,
  which,
} from './command.ts'
import type { Account, Device, SecondStep, TrustedDevice } from './facts.ts'
import type { Model } from './model.ts'
import { enrolApp } from './factor-commands.ts'
import { type Real, advance, compare, count } from './real.ts'
import { passSecondStep, signInWithPasskey } from './sign-in.ts'
import { type Way, show, way } from './show.ts'

interface Known {
  device?: Device | undefined
  trusted?: TrustedDevice | undefined
}

/** @returns the next step, if a factor is asked for */
export async function logIn(
  model: Model,
  real: Real,
  email: string,
  password: string,
  { device, trusted }: Known = {},
): Promise<SecondStep | undefined> {
  const expected = model.login(email, password, device, trusted)
  const known = { ...(device && { device_token: device.text }), ...(trusted && { trust_token: trusted.text }) }
  const { json } = await compare(real, expected, 'POST', '/auth/login', { body: { email, password, ...known } })
  if (expected.session) keepDevice(model, expected.session, json as Success<'login'>)
  if (expected.session?.isTrusted) count('POST /auth/login: 200, on a trusted device')
  if (expected.step) readStep(expected.step, json)
  return expected.step
}

interface Asked {
  factor_token: string
  factors: string[]
  passkey: Success<'passkeySignInOptions'> | null
}

function readStep(step: SecondStep, json: unknown): void {
  const { factor_token, factors, passkey } = json as Asked
  expect(factors).toEqual(offeredTo(step.account))
  step.text = factor_token
  step.challenge = passkey ? challengeIn(passkey) : undefined
}

/** The kinds of factor that an account can show. */
export function offeredTo({ passkeys, app, recoveryCodes }: Account): string[] {
  return [
    ...(passkeys.length > 0 ? ['passkey'] : []),
    ...(app ? ['totp'] : []),
    ...(recoveryCodes.length > 0 ? ['recovery_code'] : []),
  ]
}

/** Without the list of credentials, so that the wrong one can answer, too. */
export function challengeIn({ challenge_token: token, public_key }: Success<'passkeySignInOptions'>) {
  const { challenge, rpId } = public_key
  return { token, options: { challenge, rpId, userVerification: 'required' } }
}

async function pass(model: Model, real: Real, step: SecondStep, way: Way, trusts: boolean): Promise<void> {
  const { body, shown } = await show(model, step.account, way, step.challenge)
  const expected = passSecondStep(model, step, shown, trusts)
  const call = { body: { factor_token: step.text, ...body, trust_device: trusts } }
  const { json } = await compare(real, expected, 'POST', '/auth/second-factor', call)
  if (!expected.session) return
  const tokens = json as Success<'secondFactor'>
  keepDevice(model, expected.session, tokens)
  expect(tokens.trust_token !== undefined).toBe(trusts)
  if (trusts) model.trusted.at(-1)!.text = tokens.trust_token!
}

const rightPasswordOf = (model: Model, email: string) => model.accountOf(email)?.password ?? passwords[0]
/** Of an account without factors, after it has got an app. */
async function logInWithFactors(model: Model, real: Real, email: string): Promise<SecondStep | undefined> {
  const step = await logIn(model, real, email, rightPasswordOf(model, email))
  const session = model.sessions.at(-1)
  if (step || session?.account.address !== email) return step
  await enrolApp(model, real, session)
  // The code of the enrolment counts no more.
  advance(model, real, minute)
  return logIn(model, real, email, rightPasswordOf(model, email))
}

const hasPasskey = ({ passkeys }: Readonly<Model>) => passkeys.length > 0

export const signInCommands = [
  command<[string, number | null, Way, boolean]>(
    'sign in with a factor',
    [address, fc.option(which), way, fc.boolean()],
    (email, device, way, trusts) => async (model, real) => {
      const known = { device: pickDevice(model, device) }
      const step = await logIn(model, real, email, rightPasswordOf(model, email), known)
      if (step) await pass(model, real, step, way, trusts)
    },
  ),
  command<[string, Way]>('sign in as staff', [address, way], (email, way) => async (model, real) => {
    await administrationOf(email, 'PUT', '/role', (_, account) => model.assignRole(account, 'MODERATOR'), {
      role: 'MODERATOR',
    })(model, real)
    const step = await logIn(model, real, email, rightPasswordOf(model, email))
    if (step) await pass(model, real, step, way, false)
  }),
  command<[number, Way, boolean]>(
    'pass the second step',
    [which, way, fc.boolean()],
    (index, way, trusts) => async (model, real) => pass(model, real, pick(model.steps, index), way, trusts),
    ({ steps }) => steps.length > 0,
  ),
  command<[number, number]>(
    'guess codes',
    [which, fc.integer({ min: 2, max: 7 })],
    (index, times) => async (model, real) => {
      for (let tried = 0; tried < times; tried++) {
        await pass(model, real, pick(model.steps, index), 'wrong code', false)
      }
    },
    ({ steps }) => steps.length > 0,
  ),
  command<[string, Way, 'nothing' | 'all' | 'others']>(
    'trust a device',
    [address, way, fc.constantFrom('nothing', 'all', 'others')],
    (email, way, ended) => async (model, real) => {
      const step = await logInWithFactors(model, real, email)
      if (!step) return
      await pass(model, real, step, way, true)
      const trusted = model.trusted.at(-1)
      const session = model.sessions.at(-1)!
      if (trusted?.account !== session.account) return
      if (ended === 'all') await bearer(real, 'POST', '/auth/logout-all', session, model.logoutAll(session))
      if (ended === 'others') await bearer(real, 'DELETE', '/users/me/sessions', session, model.endOthers(session))
      const { address } = trusted.account
      await logIn(model, real, address, rightPasswordOf(model, address), { trusted })
    },
  ),
  command<[number, number | null]>(
    'sign in on a trusted device',
    [which, fc.option(which)],
    (index, device) => async (model, real) => {
      const trusted = pick(model.trusted, index)
      const { address } = trusted.account
      const known = { trusted, device: pickDevice(model, device) }
      await logIn(model, real, address, rightPasswordOf(model, address), known)
    },
    ({ trusted }) => trusted.length > 0,
  ),
  command<[number, boolean]>(
    'sign in with a passkey',
    [which, fc.boolean()],
    (index, isRepeated) => async (model, real) => {
      const passkey = pick(model.passkeys, index)
      const options = await compare(real, { outcome: 200 }, 'POST', '/auth/passkey/options', {})
      const challenge = challengeIn(options.json as Success<'passkeySignInOptions'>)
      const credential = await passkey.authenticator.get(challenge.options)
      const body = { challenge_token: challenge.token, credential }
      for (const isAgain of isRepeated ? [false, true] : [false]) {
        const expected = signInWithPasskey(model, passkey, isAgain)
        const { json } = await compare(real, expected, 'POST', '/auth/passkey', { body })
        if (expected.session) keepDevice(model, expected.session, json as Success<'signInWithPasskey'>)
      }
    },
    hasPasskey,
  ),
]
