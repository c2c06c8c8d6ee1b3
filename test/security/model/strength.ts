/** How strongly the user of a session has proven who they are, and what that allows. */
import { minute } from '../../support/clock.ts'
import type { Account, Expected, Session, Way } from './facts.ts'

/** What a factor adds to a session. */
export const shownBy = { code: ['otp', 'mfa'], passkey: ['pop', 'user', 'mfa'] } as const

interface Clock {
  now: number
}

export function hasFactors({ app, passkeys }: Account): boolean {
  return app !== undefined || passkeys.length > 0
}

/** Other factors have another one. */
export function factorsIdOf(account: Account): number | undefined {
  return hasFactors(account) ? account.factorChanges : undefined
}

/** The model's service demands a factor of its staff. */
export function mustHaveFactor({ role }: Account): boolean {
  return role !== 'USER'
}

export function acrOf({ ways }: Session): string {
  if (!ways.includes('mfa')) return 'urn:postern:1'
  return ways.includes('pop') ? 'phr' : 'urn:postern:2'
}

export function isConfined(session: Session): boolean {
  return mustHaveFactor(session.account) && !session.ways.includes('mfa')
}

export function confinementOf(session: Session): Expected | undefined {
  if (!isConfined(session)) return undefined
  return { outcome: hasFactors(session.account) ? 'insufficient_user_authentication' : 'factor_enrolment_required' }
}

/** For a call that needs a step-up: whether the user has shown what the account has, in the last ten minutes. */
export function freshness({ now }: Clock, { account, ways, provenAt }: Session): Expected | undefined {
  const isFresh = now <= provenAt + 10 * minute && (!hasFactors(account) || ways.includes('mfa'))
  return isFresh ? undefined : { outcome: 'insufficient_user_authentication' }
}

/** The same, for a call that demands nothing of an account without factors. */
export function staleness(model: Clock, session: Session): Expected | undefined {
  return hasFactors(session.account) ? freshness(model, session) : undefined
}

/** Of what was shown before, the password remains. */
export function lift({ now }: Clock, session: Session, shown: readonly Way[]): void {
  session.ways = [...session.ways.filter((way) => way === 'pwd'), ...shown]
  session.provenAt = now
}
