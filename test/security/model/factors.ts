/** Second factors in the model: how an account gets and loses them. */
import type { Authenticator } from '../../support/authenticator.ts'
import { minute } from '../../support/clock.ts'
import type { Account, Expected, Passkey, Session, Setup, Shown, Way } from './facts.ts'
import { factorsIdOf, freshness, hasFactors, isConfined, lift, mustHaveFactor, shownBy } from './strength.ts'
import { type World, told } from './world.ts'

/** The codes of an app change every 30 seconds. */
export const stepOf = (at: number): number => Math.floor(at / 30_000)

/** What a person says about the code that was mailed. */
export type MailCode = { at: number } | 'wrong' | undefined

export function requestMailCode(model: World, session: Session): Expected {
  if (!model.isSignedIn(session)) return { outcome: 'invalid_token' }
  const { account } = session
  if (hasFactors(account)) return { outcome: 202 }
  const row = model.tellOwner('factorCode', account)
  if (!row) return { outcome: 'rate_limited', retryAfter: 3600 }
  row.session = session
  model.tries.set(mailCodeBudget(model, session), { count: 0, allowedAt: model.now, updatedAt: model.now })
  return { outcome: 202, row }
}

function mailCodeBudget(model: World, session: Session): string {
  return `mail-code:${session.account.serial}:${model.sessions.indexOf(session)}`
}

/** Five tries for each mail, and each code for ten minutes. A wrong one is recorded, and the owner is told of the fifth. */
function checkMailbox(model: World, session: Session, code: MailCode): Expected | undefined {
  const { now } = model
  const { account } = session
  const tries = model.tries.get(mailCodeBudget(model, session))
  const isCounted = code !== undefined && tries !== undefined && tries.count < 5
  if (isCounted) Object.assign(tries, { count: tries.count + 1, allowedAt: now, updatedAt: now })
  const isRight = isCounted && code !== 'wrong' && now <= code.at + 10 * minute
  if (isRight || (session.isFirst && now <= session.createdAt + 10 * minute)) return undefined
  if (isCounted) model.noteRefusal('user.step_up_refused', 'self', account, 'step_up')
  const isTold = isCounted && tries.count === 5
  return told('wrong_mail_code', isTold ? model.tellOwner('factorAttempts', account) : undefined)
}

/** For every call that begins to add a factor or removes one. */
function mayChangeFactors(model: World, session: Session): Expected | undefined {
  return model.isSignedIn(session) ? freshness(model, session) : { outcome: 'invalid_token' }
}

export function startApp(model: World, session: Session): Expected {
  return mayChangeFactors(model, session) ?? { outcome: 200 }
}

/** @param step whose code it is; `undefined` for a wrong one */
export function confirmApp(model: World, session: Session, setup: Setup, step: number | undefined, code: MailCode) {
  const refusal = mayChangeFactors(model, session)
  if (refusal) return refusal
  const { account } = session
  const isMeant = setup.session === session && setup.factorsId === factorsIdOf(account) && model.now <= setup.expiresAt
  if (!isMeant) return told('invalid_setup', undefined)
  if (step === undefined || !isAround(model, step)) return told('wrong_second_factor', undefined)
  return enrol(model, session, code, shownBy.code, () => {
    account.app = { app: setup.app, addedAt: model.now, lastStep: step }
  })
}

/** A clock may be a step ahead or behind. */
function isAround({ now }: World, step: number): boolean {
  return Math.abs(step - stepOf(now)) <= 1
}

export function startPasskey(model: World, session: Session): Expected {
  return mayChangeFactors(model, session) ?? { outcome: 200 }
}

export function addPasskey(model: World, session: Session, authenticator: Authenticator, code: MailCode): Expected {
  const { account } = session
  return enrol(model, session, code, shownBy.passkey, () => {
    const passkey: Passkey = { account, id: '', name: 'Passkey', authenticator, addedAt: model.now, usedAt: [] }
    model.passkeys.push(passkey)
    account.passkeys.push(passkey)
  })
}

function enrol(model: World, session: Session, code: MailCode, ways: readonly Way[], add: () => void): Expected {
  const { account } = session
  const isFirst = !hasFactors(account)
  const refused = mustHaveFactor(account) && isFirst ? checkMailbox(model, session, code) : undefined
  if (refused) return refused
  model.note('user.factor_added', 'self')
  if (isConfined(session)) model.endSessions(account, session)
  add()
  account.factorChanges++
  lift(model, session, ways)
  restartTries(model, account)
  return told(201, model.tellOwner('factorAdded', account))
}

/** Only where some were counted. */
export function restartTries(model: World, { serial }: Account): void {
  const tries = model.tries.get(`factor:${serial}`)
  if (tries && tries.count > 0) Object.assign(tries, { count: 0, allowedAt: model.now, updatedAt: model.now })
}

export function removeApp(model: World, session: Session): Expected {
  const { account } = session
  return remove(model, session, account.app !== undefined, () => (account.app = undefined))
}

export function removePasskey(model: World, session: Session, passkey: Passkey): Expected {
  const { account } = session
  return remove(model, session, account.passkeys.includes(passkey), () => {
    account.passkeys = account.passkeys.filter((each) => each !== passkey)
  })
}

export function renamePasskey(model: World, session: Session, passkey: Passkey, name: string): Expected {
  const { account } = session
  const refusal = mayChangeFactors(model, session)
  if (refusal) return refusal
  if (!account.passkeys.includes(passkey)) return { outcome: 'not_found' }
  if (passkey.name === name) return { outcome: 200 }
  passkey.name = name
  model.note('user.passkey_renamed', 'self')
  return told(200, model.tellOwner('passkeyRenamed', account))
}

function remove(model: World, session: Session, isThere: boolean, erase: () => void): Expected {
  const refusal = mayChangeFactors(model, session)
  if (refusal) return refusal
  const { account } = session
  if (!isThere) return { outcome: 'not_found' }
  const count = account.passkeys.length + (account.app ? 1 : 0)
  if (count === 1 && mustHaveFactor(account)) return { outcome: 'last_factor' }
  model.note('user.factor_removed', 'self')
  erase()
  changed(account)
  return told(204, model.tellOwner('factorRemoved', account))
}

/** Recovery codes go with the last factor. */
function changed(account: Account): void {
  account.factorChanges++
  if (!hasFactors(account)) account.recoveryCodes = []
}

export function renewRecoveryCodes(model: World, session: Session): Expected {
  const refusal = model.refusal(session) ?? freshness(model, session)
  if (refusal) return refusal
  const { account } = session
  if (!hasFactors(account)) return { outcome: 'not_found' }
  model.note('user.recovery_codes_renewed', 'self')
  account.factorChanges++
  account.codesRenewedAt = model.now
  return told(200, model.tellOwner('recoveryCodesRenewed', account))
}

export function resetFactors(model: World, account: Account): Expected {
  if (!hasFactors(account)) return { outcome: 204 }
  model.note('user.factors_reset', 'admin')
  account.app = undefined
  account.passkeys = []
  changed(account)
  model.endSessions(account)
  model.forgetFactorTries(account)
  return { outcome: 204, ...model.tellIfProven('factorsReset', account) }
}

/** Those that an owner did not add who gets the account back. */
export function removeLateFactors(account: Account, since: number): void {
  if (account.app && account.app.addedAt >= since) account.app = undefined
  account.passkeys = account.passkeys.filter(({ addedAt }) => addedAt < since)
  if (account.codesRenewedAt >= since) account.recoveryCodes = []
  changed(account)
}

/** Why what was shown does not count; otherwise it is used up. */
export function useFactor(model: World, account: Account, shown: Shown): 'wrong' | 'used' | undefined {
  switch (shown.kind) {
    case 'totp': {
      const { app } = account
      if (!app || shown.isOfApp !== app || !isAround(model, shown.step) || shown.step <= app.lastStep) return 'wrong'
      app.lastStep = shown.step
      return undefined
    }
    case 'recovery_code':
      if (!account.recoveryCodes.includes(shown.code)) return 'wrong'
      account.recoveryCodes = account.recoveryCodes.filter((code) => code !== shown.code)
      return undefined
    case 'passkey':
      if (!shown.isAnswer || !shown.passkey || !account.passkeys.includes(shown.passkey)) return 'wrong'
      return usePasskey(model, shown.passkey) ? undefined : 'used'
  }
}

/** Sixteen challenges in five minutes. */
export function usePasskey({ now }: World, passkey: Passkey): boolean {
  passkey.usedAt = passkey.usedAt.filter((at) => at >= now - 5 * minute)
  if (passkey.usedAt.length >= 16) return false
  passkey.usedAt.push(now)
  return true
}
