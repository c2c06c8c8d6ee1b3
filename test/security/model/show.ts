/** What people show as a factor, right and wrong. */
import * as fc from 'fast-check'
import type { Account, SecondStep, Shown } from './facts.ts'
import { stepOf } from './factors.ts'
import type { Model } from './model.ts'

const right = ['code', 'recovery code', 'passkey'] as const
const others = ['next code', 'late code', 'old code', 'wrong code', 'other recovery code', 'other passkey'] as const
export type Way = (typeof right)[number] | (typeof others)[number]

export const way = fc.constantFrom<Way>(...right, ...right, ...right, ...others)

/** How far the clock of an app is ahead, in steps. */
const clocks: Partial<Record<Way, number>> = { code: 0, 'next code': 1, 'late code': -1, 'old code': -3 }

function isRight(way: Way): way is (typeof right)[number] {
  return (right as readonly Way[]).includes(way)
}

/**
 * For a call that takes a factor. What is right gives way to something that the account has. A wrong code stands for
 * anything else that there is not.
 */
export async function show(
  model: Model,
  account: Account,
  wanted: Way,
  challenge: SecondStep['challenge'],
): Promise<{ body: object; shown: Shown }> {
  const { app, passkeys, recoveryCodes } = account
  const has = { passkey: passkeys.length > 0, code: app !== undefined, 'recovery code': recoveryCodes.length > 0 }
  const way = isRight(wanted) && !has[wanted] ? (right.find((each) => has[each]) ?? wanted) : wanted
  const now = stepOf(model.now)
  if (way.endsWith('passkey') && challenge) {
    // Of another account too, and one that is gone.
    const isMeant = way === 'passkey' ? passkeys.includes.bind(passkeys) : () => true
    const passkey = model.passkeys.findLast((each) => isMeant(each))
    if (passkey) {
      const credential = await passkey.authenticator.get(challenge.options)
      const body = { passkey: { challenge_token: challenge.token, credential } }
      return { body, shown: { kind: 'passkey', passkey, isAnswer: true } }
    }
  }
  if (way.endsWith('recovery code')) {
    const given =
      way === 'recovery code' ? recoveryCodes.at(-1) : model.codes.findLast((each) => !recoveryCodes.includes(each))
    const code = given ?? '0000-0000-0000-0000-0000-0000'
    return { body: { recovery_code: code }, shown: { kind: 'recovery_code', code } }
  }
  const steps = clocks[way]
  if (app && steps !== undefined) {
    return { body: { totp: app.app.code(steps) }, shown: { kind: 'totp', isOfApp: app, step: now + steps } }
  }
  return { body: { totp: app?.app.wrongCode() ?? '000000' }, shown: { kind: 'totp', isOfApp: undefined, step: now } }
}
