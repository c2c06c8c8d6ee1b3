/** The state of the model, and the small steps that everything that can happen is made of. */
import type { AuditType } from '../../../src/store/schema/audit.ts'
import { day, hour, minute, second } from '../../support/clock.ts'
import type {
  Account,
  Attempt,
  Device,
  Doer,
  Event,
  Expected,
  Link,
  Outcome,
  Passkey,
  Place,
  Reason,
  RevertLink,
  Row,
  SecondStep,
  Session,
  Setup,
  Template,
  Tries,
  TrustedDevice,
} from './facts.ts'
import { confinementOf } from './strength.ts'

export class World {
  now: number
  accounts: Account[] = []
  attempts: Attempt[] = []
  sessions: Session[] = []
  links: Link[] = []
  outbox: Row[] = []
  devices: Device[] = []
  /** By budget: an address with an account, its slot without one, or an address and a device. */
  tries = new Map<string, Tries>()
  trail: Event[] = []
  /** Of all accounts that ever were. */
  passkeys: Passkey[] = []
  setups: Setup[] = []
  steps: SecondStep[] = []
  trusted: TrustedDevice[] = []
  reverts: RevertLink[] = []
  /** The recovery codes that were ever shown. */
  codes: string[] = []
  serial = 0

  constructor(now: number) {
    this.now = now
  }

  accountOf(address: string): Account | undefined {
    return this.accounts.find((account) => account.address === address)
  }
  /** The device has lost the session that it had: nobody uses that one any more. */
  endEarlier(account: Account, name: string | undefined): void {
    if (name === undefined) return
    for (const session of this.sessions) {
      if (session.account !== account || session.device !== name || session.isEnded || session.isSwept) continue
      session.isEnded = true
    }
  }

  isKnown(account: Account | undefined, device: Device | undefined): boolean {
    return (
      account !== undefined &&
      device?.account === account &&
      device.passwords === account.passwords &&
      device.address === account.address &&
      this.now < device.madeAt + 180 * day
    )
  }

  /** A wrong password, wherever it was tried. */
  suspect(budget: string, address: string, outcome: Outcome): Expected {
    const isTold = [10, 100].includes(this.tries.get(budget)!.count)
    const row = isTold ? this.ask('signInAttempts', address) : undefined
    return told(outcome, row)
  }

  /** Why a session may not make a call that is not for everybody who must enrol a factor. */
  refusal(session: Session): Expected | undefined {
    if (!this.isSignedIn(session)) return { outcome: 'invalid_token' }
    return confinementOf(session)
  }

  /** Nobody activated it. */
  expire(account: Account): void {
    this.note('user.expired', 'nobody')
    this.accounts = this.accounts.filter((each) => each !== account)
    this.dropLinks(account)
    this.dropAttempts(account.address)
  }

  isAlive(session: Session): boolean {
    return !session.isEnded && !session.isSwept && session.expiresAt > this.now
  }

  isSignedIn(session: Session): boolean {
    return session.access.expiresAt > this.now && this.isAlive(session)
  }

  isLive(link: Link): boolean {
    return !link.isGone && link.expiresAt > this.now
  }

  newestAttempt(address: string): Attempt | undefined {
    return this.attempts.findLast((attempt) => attempt.address === address)
  }

  open(account: Account, how: Partial<Pick<Session, 'ways' | 'isFirst' | 'isTrusted'>> = {}): Session {
    const times = { createdAt: this.now, usedAt: this.now, expiresAt: this.now + 30 * day }
    const access = { text: '', expiresAt: 0 }
    const chain = { firstGeneration: 1, settledGeneration: -1, repeatedGeneration: 0, repeatedAt: [], stray: undefined }
    const session: Session = {
      account,
      device: undefined,
      ...times,
      from: atHome,
      ...chain,
      isEnded: false,
      isSwept: false,
      ways: ['pwd'],
      isFirst: false,
      isTrusted: false,
      ...how,
      provenAt: this.now,
      mailCodes: [],
      refreshTokens: [],
      access,
    }
    this.sessions.push(session)
    const kept = this.sessions.filter((each) => each.account === account && !each.isEnded && !each.isSwept)
    for (const old of kept.slice(0, -50)) {
      this.note('session.ended', 'self')
      old.isEnded = true
    }
    return session
  }

  hasLiveSession(account: Account, besides?: Session): boolean {
    return this.sessions.some(
      (each) =>
        each.account === account && each !== besides && !each.isEnded && !each.isSwept && each.expiresAt > this.now,
    )
  }

  endSessions(account: Account, kept?: Session): void {
    for (const session of this.sessions) {
      if (session.account === account && session !== kept && !session.isSwept) session.isEnded = true
    }
  }

  dropLinks(account: Account, purpose?: Link['purpose']): void {
    for (const link of this.links) {
      if (link.account === account && (purpose ?? link.purpose) === link.purpose) link.isGone = true
    }
  }

  dropAttempts(address: string): void {
    this.attempts = this.attempts.filter((attempt) => attempt.address !== address)
  }

  /** The former address is told, too, while its owner could undo the change. */
  erase(account: Account): { rows: Row[] } {
    const change = account.addressChange
    const former = change?.isApplied && change.revertUntil > this.now ? [change.from] : []
    this.endSessions(account)
    this.dropLinks(account)
    this.dropAttempts(account.address)
    this.forgetTries(account.address)
    this.forgetFactorTries(account)
    this.outbox = this.outbox.filter((row) => row.address !== account.address && row.account !== account)
    this.accounts = this.accounts.filter((each) => each !== account)
    account.passkeys = []
    account.addressChange = undefined
    const addresses = [...(account.wasActivated ? [account.address] : []), ...former]
    return { rows: addresses.map((address) => this.tell('accountDeleted', address, '', account)) }
  }

  note(type: AuditType, by: Doer): void {
    this.trail.push({ type, at: this.now, by, hasUser: true })
  }

  /** The first one in an hour counts the others. */
  noteRefusal(
    type: AuditType,
    by: Doer,
    account: Account | undefined,
    reason: Outcome | Reason,
    network: Place['network'] = 'home',
  ): void {
    const hourOf = (at: number) => Math.floor(at / hour)
    const isSame = ({ refusal, ...each }: Event) =>
      each.type === type &&
      hourOf(each.at) === hourOf(this.now) &&
      refusal?.account === account &&
      refusal?.reason === reason &&
      refusal?.network === network
    if (this.trail.some(isSame)) return
    const refusal = { account, reason, network }
    this.trail.push({ type, at: this.now, by, hasUser: account !== undefined, refusal })
  }

  tell(template: Template, address: string, budget = '', account?: Account): Row {
    const row = this.draft(template, address, budget, account)
    this.outbox.push(row)
    return row
  }

  /** A row that is not stored. */
  draft(template: Template, address: string, budget: string, account: Account | undefined): Row {
    const how = { address, template, attempt: undefined, account, budget, isOnRecord: false }
    return { id: '', ...how, at: this.now, dueAt: this.now, isDone: false, isQueued: true }
  }

  tellOwner(template: Template, account: Account, by?: string): Row | undefined {
    return this.ask(template, account.address, by, account)
  }

  tellIfProven(template: Template, account: Account): { row?: Row } {
    const row = account.wasActivated ? this.tellOwner(template, account) : undefined
    return row ? { row } : {}
  }

  /** A mail: 5 of a kind an hour, 20 a day. A registration asks for an activation mail. */
  ask(template: Template, address: string, by = 'anybody', account?: Account): Row | undefined {
    const budget = budgetOf(template, by)
    return this.hasRoom(address, budget) ? this.tell(template, address, budget, account) : undefined
  }

  hasRoom(address: string, budget: string): boolean {
    const asked = (age: number) =>
      this.outbox.filter((row) => row.address === address && row.budget === budget && row.at >= this.now - age)
    return asked(hour).length < 5 && asked(day).length < 20
  }

  /** Takes a try, or says how long to wait. */
  claim(budget: string): Expected | undefined {
    const tries = this.tries.get(budget)
    if (!tries) {
      this.tries.set(budget, { count: 1, allowedAt: this.now, updatedAt: this.now })
      return undefined
    }
    const wait = this.waitOf(budget)
    if (wait) return wait
    tries.count++
    const pause = tries.count < 5 ? 0 : Math.min(15 * minute, second * 2 ** (tries.count - 5))
    Object.assign(tries, { allowedAt: this.now + pause, updatedAt: this.now })
    return undefined
  }

  /** Why no try would be granted now. */
  waitOf(budget: string): Expected | undefined {
    const { count, allowedAt } = this.tries.get(budget) ?? { count: 0, allowedAt: 0 }
    if (count >= 100) return { outcome: 'rate_limited', retryAfter: 3600 }
    return allowedAt > this.now ? { outcome: 'rate_limited', retryAfter: (allowedAt - this.now) / second } : undefined
  }

  giveBack(budget: string): void {
    const tries = this.tries.get(budget)!
    Object.assign(tries, { count: tries.count - 1, allowedAt: this.now })
    if (tries.count === 0) this.tries.delete(budget)
  }

  /** Those at codes of an app, at recovery codes, and at codes that were mailed. */
  forgetFactorTries({ serial }: Account): void {
    for (const budget of this.tries.keys()) {
      if (budget === `factor:${serial}` || budget.startsWith(`mail-code:${serial}:`)) this.tries.delete(budget)
    }
  }

  forgetTries(address: string): void {
    for (const budget of this.tries.keys()) {
      if (budget === address || budget.startsWith(`${address}:`)) this.tries.delete(budget)
    }
  }
}

const atHome: Place = { network: 'home', agent: 'browser' }

export function setPassword(account: Account, password: string | null): void {
  account.password = password
  account.passwords++
}

/** Which mails count together. */
export function budgetOf(template: Template, by = 'anybody'): string {
  return `${template === 'registration' ? 'activation' : template} by ${by}`
}

export function told(outcome: Outcome, row: Row | undefined): Expected {
  return { outcome, ...(row && { row }) }
}
