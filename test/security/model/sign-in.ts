/** The second step of a sign-in, the sign-in with a passkey alone, and the step-up. */
import type { Account, Expected, Passkey, SecondStep, Session, Shown } from './facts.ts'
import { restartTries, useFactor, usePasskey } from './factors.ts'
import { factorsIdOf, hasFactors, lift, shownBy } from './strength.ts'
import { type World, told } from './world.ts'

const waysOf = ({ kind }: Shown) => shownBy[kind === 'passkey' ? 'passkey' : 'code']

export function passSecondStep(model: World, step: SecondStep, shown: Shown, trusts: boolean): Expected {
  const { account } = step
  if (!isOpen(model, step)) return { outcome: 'invalid_factor_token' }
  const refused = shown.kind === 'passkey' ? undefined : model.claim(`factor:${account.serial}`)
  // Nobody guesses a recovery code, so the right one passes.
  if (refused && shown.kind === 'totp') return refused
  const problem = useFactor(model, account, shown)
  if (problem) {
    if (refused) return refused
    const reason = problem === 'wrong' ? 'wrong_second_factor' : 'used_meanwhile'
    model.noteRefusal('user.second_factor_refused', 'nobody', account, reason)
    return warn(model, account, shown)
  }
  step.isUsed = true
  // The counter remembers the step, so there is one now.
  model.tries.set(`factor:${account.serial}`, { count: 0, allowedAt: model.now, updatedAt: model.now })
  model.note('user.signed_in', 'self')
  const told = tellOfUse(model, account, shown)
  model.endEarlier(account, step.device)
  const session = model.open(account, { ways: ['pwd', ...waysOf(shown)] })
  if (trusts) {
    const { passwords, distrusts } = account
    const factorsId = factorsIdOf(account)
    model.trusted.push({ account, passwords, factorsId, distrusts, madeAt: model.now, text: '' })
  }
  return { ...told, session }
}

function isOpen(model: World, { account, passwords, factorsId, expiresAt, isUsed }: SecondStep): boolean {
  return (
    !isUsed &&
    model.now < expiresAt &&
    model.accounts.includes(account) &&
    account.status === 'active' &&
    account.password !== null &&
    account.passwords === passwords &&
    factorsIdOf(account) === factorsId
  )
}

function tellOfUse(model: World, account: Account, { kind }: Shown): Expected {
  if (kind !== 'recovery_code') return { outcome: 200 }
  model.note('user.recovery_code_used', 'self')
  return told(200, model.tellOwner('recoveryCodeUsed', account))
}

/** A wrong factor. The owner is told of many codes. */
function warn(model: World, account: Account, { kind }: Shown): Expected {
  const count = kind === 'passkey' ? 0 : model.tries.get(`factor:${account.serial}`)!.count
  return told(
    'wrong_second_factor',
    [5, 10, 100].includes(count) ? model.tellOwner('factorAttempts', account) : undefined,
  )
}

/** @param isRepeated the same answer came before */
export function signInWithPasskey(model: World, passkey: Passkey, isRepeated: boolean): Expected {
  const { account } = passkey
  if (!account.passkeys.includes(passkey)) return { outcome: 'invalid_passkey' }
  if (account.status === 'suspended') {
    model.noteRefusal('user.sign_in_refused', 'nobody', account, 'account_suspended')
    return { outcome: 'account_suspended' }
  }
  if (isRepeated || !usePasskey(model, passkey)) {
    model.noteRefusal('user.sign_in_refused', 'nobody', account, 'used_challenge')
    return { outcome: 'invalid_passkey' }
  }
  model.note('user.signed_in', 'self')
  return { outcome: 200, session: model.open(account, { ways: [...shownBy.passkey] }) }
}

export function stepUp(model: World, session: Session, shown: Shown): Expected {
  if (!model.isSignedIn(session)) return { outcome: 'invalid_token' }
  const { account } = session
  if (!hasFactors(account)) return { outcome: 'wrong_second_factor' }
  const budget = `factor:${account.serial}`
  // A right code draws on the budget only by being refused while there is none.
  const wait = model.waitOf(budget)
  if (wait && shown.kind === 'totp') return wait
  const problem = useFactor(model, account, shown)
  if (problem === 'used') return { outcome: 'wrong_second_factor' }
  if (problem) {
    const refused = shown.kind === 'passkey' ? undefined : model.claim(budget)
    if (refused) return refused
    model.noteRefusal('user.step_up_refused', 'self', account, 'step_up')
    return warn(model, account, shown)
  }
  model.note('user.stepped_up', 'self')
  lift(model, session, waysOf(shown))
  restartTries(model, account)
  return { ...tellOfUse(model, account, shown), lifted: session }
}

export function stepUpByPassword(model: World, session: Session, password: string): Expected {
  if (!model.isSignedIn(session)) return { outcome: 'invalid_token' }
  const { account } = session
  if (hasFactors(account)) return { outcome: 'wrong_second_factor' }
  const refused = model.claim(account.address)
  if (refused) return refused
  if (password !== account.password) {
    model.noteRefusal('user.step_up_refused', 'self', account, 'step_up')
    return model.suspect(account.address, account.address, 'wrong_password')
  }
  model.tries.delete(account.address)
  session.ways = ['pwd']
  session.provenAt = model.now
  return { outcome: 200, lifted: session }
}
