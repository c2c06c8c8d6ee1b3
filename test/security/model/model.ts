/**
 * What Postern does, said as plainly as possible: objects in lists, one method for each thing that can happen, no
 * database, no cryptography. The commands do the same to the real service and compare.
 */
import type { ProblemCode } from '../../../src/problems.ts'
import type { Role } from '../../../src/permissions.ts'
import type { AuditType } from '../../../src/store/schema/audit.ts'
import type { UserStatus } from '../../../src/store/schema/users.ts'
import { day, hour, minute, second } from '../../support/clock.ts'
import { subjects } from '../../support/mails.ts'

export type Outcome = number | ProblemCode

export interface Account {
  address: string
  status: UserStatus
  role: Role
  /** Null until the mailbox is proven. */
  password: string | null
  /** How many passwords were set. */
  passwords: number
  createdAt: number
  wasActivated: boolean
  bio: string | null
}

/** An attempt to register. */
interface Attempt {
  address: string
  password: string
  at: number
}

/** Where a refresh comes from: a network and a user agent. */
export interface Place {
  network: 'home' | 'office' | 'abroad'
  agent: 'browser' | 'program'
}

export interface Session {
  account: Account
  /** The name of the device that it was begun on, which the service gives. */
  device: string | undefined
  /** Of the sign-in or the last rotation. */
  from: Place
  /** Tokens before this generation are closed. */
  firstGeneration: number
  /** The newest generation at the last change of the password without a token. */
  settledGeneration: number
  /** The generation whose rotation was repeated last, and when rotations were. */
  repeatedGeneration: number
  repeatedAt: number[]
  /** The last repetition from another network. */
  stray: { at: number; generation: number; network: Place['network'] } | undefined
  createdAt: number
  /** Sign-in or the last rotation. */
  usedAt: number
  expiresAt: number
  /** The row is gone, and the revocation list has it. */
  isEnded: boolean
  /** The row is gone because it had expired. */
  isSwept: boolean
  /** The refresh tokens so far; the newest is last. The texts come from the service. */
  refreshTokens: { text: string; expiresAt: number }[]
  access: { text: string; expiresAt: number }
}

export interface Link {
  /** The outbox row that carried it. */
  row: Row
  purpose: 'activation' | 'reset'
  account: Account
  attempt: Attempt | undefined
  expiresAt: number
  isGone: boolean
  text: string
}

const notices = {
  accountActivated: subjects.accountActivated,
  passwordChanged: subjects.passwordChanged,
  sessionReuse: subjects.sessionReuse,
  signInAttempts: 'Wrong passwords for your Postern account',
  accountSuspended: subjects.accountSuspended,
  accountReinstated: subjects.accountReinstated,
  roleChanged: subjects.roleChanged,
  accountDeleted: subjects.accountDeleted,
}

/** With a link. */
type Request = 'registration' | 'activation' | 'password_reset' | 'set_password'
/** With nothing but news. */
type Notice = keyof typeof notices
type Template = Request | Notice

/** A row of the outbox. */
export interface Row {
  id: string
  address: string
  template: Template
  attempt: Attempt | undefined
  budget: string
  /** An ADMIN asked for it, and not whoever gave the address. */
  isByAdmin: boolean
  at: number
  dueAt: number
  isDone: boolean
  /** The queue knows of it. */
  isQueued: boolean
}

interface Tries {
  count: number
  allowedAt: number
  updatedAt: number
}

export interface Device {
  account: Account
  /** Which of the account's passwords it signed in with. */
  passwords: number
  name: string
  text: string
  madeAt: number
}

/** What the audit trail tells. */
interface Event {
  type: AuditType
  at: number
  by: Doer
  /** Whether it is about an account. */
  hasUser: boolean
  /** What further refusals of the hour have in common with this one. */
  refusal?: { account: Account | undefined; reason: Outcome; network: Place['network'] }
}

type Doer = 'self' | 'admin' | 'nobody'

/** What a call is answered, and what came of it. */
export interface Expected {
  outcome: Outcome
  retryAfter?: number
  session?: Session
  /** The outbox row it wrote, if any. */
  row?: Row
}

export interface ExpectedMail {
  to: string
  subject: string
  row: Row
  /** The link in it. Its text is not known yet. */
  link?: Link
}

export class Model {
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

  constructor(now: number) {
    this.now = now
  }

  accountOf(address: string): Account | undefined {
    return this.accounts.find((account) => account.address === address)
  }

  // Registration and links

  register(address: string, password: string): Expected {
    const row = this.#ask('registration', address)
    if (!row) return { outcome: 202 }
    this.#note('user.registered', 'nobody')
    if (!this.accountOf(address)) {
      const nothing = { password: null, passwords: 0, wasActivated: false, bio: null }
      this.accounts.push({ address, status: 'pending', role: 'USER', createdAt: this.now, ...nothing })
    }
    if (this.accountOf(address)!.status === 'pending') {
      row.attempt = { address, password, at: this.now }
      this.attempts.push(row.attempt)
    }
    return { outcome: 202, row }
  }

  resend(address: string): Expected {
    return told(202, this.#ask('activation', address))
  }

  requestReset(address: string, device?: Device): Expected {
    const isKnown = this.#isKnown(this.accountOf(address), device)
    return told(202, this.#ask('password_reset', address, isKnown ? 'known devices' : undefined))
  }

  activate(link: Link, password: string): Expected {
    if (!this.#isLive(link)) return { outcome: 'invalid_link' }
    const { account, attempt } = link
    const refused = this.#claim(account.address)
    if (account.status !== 'pending' || !attempt || !this.attempts.includes(attempt)) return { outcome: 'invalid_link' }
    if (refused) return refused
    if (password !== attempt.password) {
      this.#noteRefusal('user.activation_refused', 'nobody', account, 'invalid_credentials')
      return this.#suspect(account.address, account.address, 'invalid_credentials')
    }
    this.#note('user.activated', 'self')
    Object.assign(account, { status: 'active', wasActivated: true })
    setPassword(account, password)
    this.#dropLinks(account, 'activation')
    this.#dropAttempts(account.address)
    this.tries.delete(account.address)
    return { ...told(200, this.#ask('accountActivated', account.address)), session: this.#open(account) }
  }

  completeReset(link: Link, password: string): Expected {
    if (!this.#isLive(link)) return { outcome: 'invalid_link' }
    const { account } = link
    this.#note('user.password_reset', 'self')
    setPassword(account, password)
    if (account.status === 'pending') account.status = 'active'
    // Who can read the mail owns the mailbox, suspended or not: a reinstatement makes the account active then.
    account.wasActivated = true
    this.#endSessions(account)
    this.#dropLinks(account)
    this.#dropAttempts(account.address)
    this.#forgetTries(account.address)
    return told(204, this.#ask('passwordChanged', account.address))
  }

  // Sessions

  login(address: string, password: string, device?: Device): Expected {
    const account = this.accountOf(address)
    const common = account ? address : `slot of ${address}`
    const budget = device && this.#isKnown(account, device) ? `${address}:${device.name}` : common
    const refused = this.#claim(budget)
    if (refused) return refused
    const standIn = account?.status === 'active' ? undefined : this.#newestAttempt(address)?.password
    if (!account || password !== (account.password ?? standIn)) {
      this.#noteRefusal('user.sign_in_refused', 'nobody', account, 'invalid_credentials')
      return this.#suspect(budget, address, 'invalid_credentials')
    }
    if (account.password === null) this.#giveBack(budget)
    else this.tries.delete(budget)
    if (account.status !== 'active') {
      const outcome = account.status === 'pending' ? 'account_pending' : 'account_suspended'
      this.#noteRefusal('user.sign_in_refused', 'nobody', account, outcome)
      return { outcome }
    }
    this.#note('user.signed_in', 'self')
    if (device && this.#isKnown(account, device)) this.#endEarlier(account, device)
    return { outcome: 200, session: this.#open(account) }
  }

  /** The device has lost the session that it had: nobody uses that one any more. */
  #endEarlier(account: Account, { name }: Device): void {
    for (const session of this.sessions) {
      if (session.account !== account || session.device !== name || session.isEnded || session.isSwept) continue
      session.isEnded = true
    }
  }

  #isKnown(account: Account | undefined, device: Device | undefined): boolean {
    return (
      account !== undefined &&
      device?.account === account &&
      device.passwords === account.passwords &&
      this.now < device.madeAt + 180 * day
    )
  }

  /** A wrong password, wherever it was tried. */
  #suspect(budget: string, address: string, outcome: Outcome): Expected {
    const isTold = [10, 100].includes(this.tries.get(budget)!.count)
    const row = isTold ? this.#ask('signInAttempts', address) : undefined
    return told(outcome, row)
  }

  /** @param generation counted back from the newest: 0 is the newest */
  /** @param older how many tokens before the newest one */
  refresh(session: Session, older: number, from: Place): Expected {
    const token = session.refreshTokens.at(-1 - older)!
    if (token.expiresAt <= this.now || !this.isAlive(session)) return { outcome: 'invalid_refresh_token' }
    if (older === 0) {
      this.#rotate(session, from)
      return { outcome: 200, session }
    }
    if (!isOpen(session, older)) return { outcome: 'invalid_refresh_token' }
    if (older === 1 && this.#repeats(session, from)) return { outcome: 200, session }
    if (older === 1 && this.#isInFlight(session, from)) return { outcome: 'invalid_refresh_token' }
    this.#note('session.reuse_detected', 'nobody')
    session.isEnded = true
    return told('refresh_token_reused', this.#ask('sessionReuse', session.account.address))
  }

  #rotate(session: Session, from: Place): void {
    session.usedAt = this.now
    session.expiresAt = Math.min(this.now + 30 * day, session.createdAt + 90 * day)
    session.from = from
  }

  /** Whether a tab may have sent the token while another one changed the password. */
  #isInFlight({ usedAt, settledGeneration, refreshTokens, from }: Session, { network, agent }: Place): boolean {
    const isHere = network === from.network && agent === from.agent
    return isHere && settledGeneration === refreshTokens.length && this.now < usedAt + 30 * second
  }

  /** Whether the last rotation is repeated for whoever is there. */
  #repeats(session: Session, { network, agent }: Place): boolean {
    const newest = session.refreshTokens.length
    const { stray } = session
    if (this.now >= session.usedAt + 30 * second) return false
    if (session.settledGeneration === newest || agent !== session.from.agent) return false
    const isCounted = session.repeatedGeneration === newest
    const isHere = network === session.from.network
    if (isCounted && (isHere || (stray?.generation === newest && stray.network === network))) return true
    if (!isCounted && session.repeatedAt.filter((at) => at > this.now - day).length >= 3) return false
    if (!isHere && (session.settledGeneration === newest - 1 || (stray && stray.at > this.now - day))) return false
    if (!isCounted) session.repeatedAt.push(this.now)
    session.repeatedGeneration = newest
    if (isHere) return true
    session.stray = { at: this.now, generation: newest, network }
    this.#note('session.refresh_repeated', 'nobody')
    return true
  }

  logout(session: Session, older: number): Expected {
    const token = session.refreshTokens.at(-1 - older)!
    if (token.expiresAt > this.now && !session.isSwept && !session.isEnded && isOpen(session, older)) {
      this.#note('session.ended', older === 0 ? 'self' : 'nobody')
      session.isEnded = true
    }
    return { outcome: 204 }
  }

  logoutAll(session: Session): Expected {
    if (!this.isSignedIn(session)) return { outcome: 'invalid_token' }
    this.#note('session.ended', 'self')
    this.#endSessions(session.account)
    return { outcome: 204 }
  }

  endOthers(session: Session): Expected {
    if (!this.isSignedIn(session)) return { outcome: 'invalid_token' }
    if (this.#hasLiveSession(session.account, session)) {
      this.#note('session.ended', 'self')
      this.#endSessions(session.account, session)
    }
    return { outcome: 204 }
  }

  endOne(session: Session, other: Session): Expected {
    if (!this.isSignedIn(session)) return { outcome: 'invalid_token' }
    if (other.account !== session.account || other.isEnded || other.isSwept) return { outcome: 'not_found' }
    this.#note('session.ended', 'self')
    other.isEnded = true
    return { outcome: 204 }
  }

  // The own account

  me(session: Session): Expected {
    return { outcome: this.isSignedIn(session) ? 200 : 'invalid_token' }
  }

  verify(session: Session): Expected {
    const isGood = session.access.expiresAt > this.now && !session.isEnded
    return { outcome: isGood ? 204 : 'invalid_token' }
  }

  describe(session: Session, bio: string): Expected {
    if (!this.isSignedIn(session)) return { outcome: 'invalid_token' }
    if (session.account.bio !== bio) this.#note('user.profile_updated', 'self')
    session.account.bio = bio
    return { outcome: 200 }
  }

  /** @param older of the refresh token that goes with it, if one does: how many tokens before the newest one */
  changePassword(session: Session, password: string, next: string, older: number | null, from: Place): Expected {
    if (!this.isSignedIn(session)) return { outcome: 'invalid_token' }
    if (older !== null && session.refreshTokens.at(-1 - older)!.expiresAt <= this.now) {
      return { outcome: 'invalid_refresh_token' }
    }
    const { account } = session
    const refused = this.#claim(account.address)
    if (refused) return refused
    if (password !== account.password) {
      this.#noteRefusal('user.password_change_refused', 'self', account, 'wrong_password', from.network)
      return this.#suspect(account.address, account.address, 'wrong_password')
    }
    this.#forgetTries(account.address)
    if (older !== null && !isOpen(session, older)) return { outcome: 'invalid_refresh_token' }
    this.#note('user.password_changed', 'self')
    setPassword(account, next)
    this.#endSessions(account, session)
    this.#dropLinks(account, 'reset')
    const notice = this.#ask('passwordChanged', account.address)
    const newest = session.refreshTokens.length
    if (older === null) {
      session.settledGeneration = newest
      return told(204, notice)
    }
    this.#rotate(session, from)
    session.firstGeneration = newest + 1
    return { ...told(200, notice), session }
  }

  deleteMe(session: Session, password: string): Expected {
    if (!this.isSignedIn(session)) return { outcome: 'invalid_token' }
    const { account } = session
    const refused = this.#claim(account.address)
    if (refused) return refused
    if (password !== account.password) {
      this.#noteRefusal('user.deletion_refused', 'self', account, 'wrong_password')
      return this.#suspect(account.address, account.address, 'wrong_password')
    }
    this.#note('user.deleted', 'self')
    return { outcome: 204, ...this.#erase(account) }
  }

  // Administration

  suspend(account: Account): Expected {
    if (account.status === 'suspended') return { outcome: 'user_suspended' }
    this.#note('user.suspended', 'admin')
    account.status = 'suspended'
    this.#endSessions(account)
    return { outcome: 200, ...this.#tellIfProven('accountSuspended', account) }
  }

  reinstate(account: Account): Expected {
    if (account.status !== 'suspended') return { outcome: 'not_suspended' }
    this.#note('user.reinstated', 'admin')
    account.status = account.wasActivated ? 'active' : 'pending'
    return { outcome: 200, ...this.#tellIfProven('accountReinstated', account) }
  }

  assignRole(account: Account, role: Role): Expected {
    if (account.role === role) return { outcome: 200 }
    if (role !== 'USER' && !account.wasActivated) return { outcome: 'not_activated' }
    this.#note('user.role_changed', 'admin')
    account.role = role
    this.#endSessions(account)
    return { outcome: 200, ...this.#tellIfProven('roleChanged', account) }
  }

  activateByAdmin(account: Account): Expected {
    if (account.status !== 'pending') return { outcome: account.status === 'active' ? 200 : 'user_suspended' }
    this.#note('user.activated', 'admin')
    Object.assign(account, { status: 'active', wasActivated: true })
    setPassword(account, null)
    this.#dropLinks(account)
    this.#dropAttempts(account.address)
    const row = this.#ask('set_password', account.address)
    if (row) row.isByAdmin = true
    return told(200, row)
  }

  startReset(account: Account): Expected {
    const row = this.#ask('password_reset', account.address, 'an ADMIN')
    if (!row) return { outcome: 202 }
    this.#note('user.password_reset_requested', 'admin')
    row.isByAdmin = true
    return { outcome: 202, row }
  }

  endSessionsOf(account: Account): Expected {
    if (this.#hasLiveSession(account)) {
      this.#note('session.ended', 'admin')
      this.#endSessions(account)
    }
    return { outcome: 204 }
  }

  deleteAccount(account: Account): Expected {
    this.#note('user.deleted', 'admin')
    return { outcome: 204, ...this.#erase(account) }
  }

  // Time, mail and the sweeper

  loseQueue(): void {
    for (const row of this.outbox) row.isQueued = false
  }

  requeue(): void {
    for (const row of this.outbox.filter(({ isDone, dueAt }) => !isDone && dueAt <= this.now - 5 * minute)) {
      Object.assign(row, { dueAt: this.now, isQueued: true })
    }
  }

  deliver(): ExpectedMail[] {
    const rows = this.outbox.filter(({ isDone, isQueued }) => !isDone && isQueued)
    return rows.flatMap((row) => {
      row.isDone = true
      return this.#write(row) ?? []
    })
  }

  #write(row: Row): ExpectedMail | undefined {
    const { address, template } = row
    const account = this.accountOf(address)
    if (template === 'signInAttempts' && account?.status !== 'active') return undefined
    if (isNotice(template)) return { to: address, subject: notices[template], row }
    switch (template) {
      case 'registration':
        if (account && account.status !== 'pending') return { to: address, subject: subjects.accountExists, row }
        return this.#writeLink(row, 'activation', subjects.activation, row.attempt)
      case 'activation':
        if (account?.status !== 'pending') return undefined
        return this.#writeLink(row, 'activation', subjects.activation, this.#newestAttempt(address))
      case 'password_reset':
        return this.#writeLink(row, 'reset', subjects.passwordReset)
      case 'set_password':
        return this.#writeLink(row, 'reset', subjects.setPassword)
    }
  }

  #writeLink(row: Row, purpose: Link['purpose'], subject: string, attempt?: Attempt): ExpectedMail | undefined {
    const account = this.accountOf(row.address)
    if (!account || (purpose === 'activation' && (!attempt || !this.attempts.includes(attempt)))) return undefined
    const expiresAt = this.now + (purpose === 'activation' ? day : hour)
    const link: Link = { row, purpose, account, attempt, expiresAt, isGone: false, text: '' }
    this.links.push(link)
    // What an ADMIN or a registration asked for was told then.
    if (row.template === 'activation') this.#note('user.activation_requested', 'nobody')
    if (row.template === 'password_reset' && !row.isByAdmin) this.#note('user.password_reset_requested', 'nobody')
    return { to: row.address, subject, row, link }
  }

  cleanUp(): void {
    const isOlder = (at: number, age: number) => at < this.now - age
    for (const link of this.links) {
      if (isOlder(link.row.at, hour) && link.expiresAt <= this.now) link.isGone = true
    }
    for (const session of this.sessions) {
      if (isOlder(session.createdAt, 30 * day) && session.expiresAt <= this.now) session.isSwept = true
    }
    for (const [budget, { count, updatedAt }] of this.tries) {
      if (isOlder(updatedAt, count < 100 ? 30 * day : 400 * day)) this.tries.delete(budget)
    }
    const isRecent = ({ at }: Attempt) => !isOlder(at, 7 * day)
    for (const account of this.accounts) {
      const { address, status, createdAt } = account
      const mayStill =
        this.attempts.some((attempt) => attempt.address === address && isRecent(attempt)) ||
        this.links.some((link) => link.account === account && this.#isLive(link))
      if (status !== 'pending' || !isOlder(createdAt, 7 * day) || mayStill) continue
      this.#note('user.expired', 'nobody')
      this.accounts = this.accounts.filter((each) => each !== account)
      this.#dropLinks(account)
      this.#dropAttempts(address)
    }
    this.trail = this.trail.filter(({ at }) => !isOlder(at, 400 * day))
    this.attempts = this.attempts.filter(
      ({ address }) =>
        this.accountOf(address)?.status === 'pending' ||
        this.attempts.some((other) => other.address === address && isRecent(other)),
    )
  }

  // What the methods above have in common

  isAlive(session: Session): boolean {
    return !session.isEnded && !session.isSwept && session.expiresAt > this.now
  }

  isSignedIn(session: Session): boolean {
    return session.access.expiresAt > this.now && this.isAlive(session)
  }

  #isLive(link: Link): boolean {
    return !link.isGone && link.expiresAt > this.now
  }

  #newestAttempt(address: string): Attempt | undefined {
    return this.attempts.findLast((attempt) => attempt.address === address)
  }

  #open(account: Account): Session {
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
      refreshTokens: [],
      access,
    }
    this.sessions.push(session)
    const kept = this.sessions.filter((each) => each.account === account && !each.isEnded && !each.isSwept)
    for (const old of kept.slice(0, -50)) {
      this.#note('session.ended', 'self')
      old.isEnded = true
    }
    return session
  }

  #hasLiveSession(account: Account, besides?: Session): boolean {
    return this.sessions.some(
      (each) =>
        each.account === account && each !== besides && !each.isEnded && !each.isSwept && each.expiresAt > this.now,
    )
  }

  #endSessions(account: Account, kept?: Session): void {
    for (const session of this.sessions) {
      if (session.account === account && session !== kept && !session.isSwept) session.isEnded = true
    }
  }

  #dropLinks(account: Account, purpose?: Link['purpose']): void {
    for (const link of this.links) {
      if (link.account === account && (purpose ?? link.purpose) === link.purpose) link.isGone = true
    }
  }

  #dropAttempts(address: string): void {
    this.attempts = this.attempts.filter((attempt) => attempt.address !== address)
  }

  #erase(account: Account): { row?: Row } {
    this.#endSessions(account)
    this.#dropLinks(account)
    this.#dropAttempts(account.address)
    this.#forgetTries(account.address)
    this.outbox = this.outbox.filter(({ address }) => address !== account.address)
    this.accounts = this.accounts.filter((each) => each !== account)
    return account.wasActivated ? { row: this.#tell('accountDeleted', account.address) } : {}
  }

  #note(type: AuditType, by: Doer): void {
    this.trail.push({ type, at: this.now, by, hasUser: true })
  }

  /** The first one in an hour counts the others. */
  #noteRefusal(
    type: AuditType,
    by: Doer,
    account: Account | undefined,
    reason: Outcome,
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

  #tell(template: Template, address: string, budget = ''): Row {
    const how = { address, template, attempt: undefined, budget, isByAdmin: false }
    const row: Row = { id: '', ...how, at: this.now, dueAt: this.now, isDone: false, isQueued: true }
    this.outbox.push(row)
    return row
  }

  #tellIfProven(template: Template, { wasActivated, address }: Account): { row?: Row } {
    const row = wasActivated ? this.#ask(template, address) : undefined
    return row ? { row } : {}
  }

  /** A mail: 5 of a kind an hour, 20 a day. A registration asks for an activation mail. */
  #ask(template: Template, address: string, by = 'anybody'): Row | undefined {
    const budget = `${template === 'registration' ? 'activation' : template} by ${by}`
    const asked = (age: number) =>
      this.outbox.filter((row) => row.address === address && row.budget === budget && row.at >= this.now - age)
    const isWithin = asked(hour).length < 5 && asked(day).length < 20
    return isWithin ? this.#tell(template, address, budget) : undefined
  }

  /** Takes a try, or says how long to wait. */
  #claim(budget: string): Expected | undefined {
    const tries = this.tries.get(budget)
    if (!tries) {
      this.tries.set(budget, { count: 1, allowedAt: this.now, updatedAt: this.now })
      return undefined
    }
    if (tries.count >= 100) return { outcome: 'rate_limited', retryAfter: 3600 }
    if (tries.allowedAt > this.now)
      return { outcome: 'rate_limited', retryAfter: (tries.allowedAt - this.now) / second }
    tries.count++
    const pause = tries.count < 5 ? 0 : Math.min(15 * minute, second * 2 ** (tries.count - 5))
    Object.assign(tries, { allowedAt: this.now + pause, updatedAt: this.now })
    return undefined
  }

  #giveBack(budget: string): void {
    const tries = this.tries.get(budget)!
    Object.assign(tries, { count: tries.count - 1, allowedAt: this.now })
    if (tries.count === 0) this.tries.delete(budget)
  }

  #forgetTries(address: string): void {
    for (const budget of this.tries.keys()) {
      if (budget === address || budget.startsWith(`${address}:`)) this.tries.delete(budget)
    }
  }
}

const atHome: Place = { network: 'home', agent: 'browser' }

/** Whether no change of the password has closed the token. */
function isOpen({ refreshTokens, firstGeneration }: Session, older: number): boolean {
  return refreshTokens.length - older >= firstGeneration
}

function setPassword(account: Account, password: string | null): void {
  account.password = password
  account.passwords++
}

function told(outcome: Outcome, row: Row | undefined): Expected {
  return { outcome, ...(row && { row }) }
}

function isNotice(template: Template): template is Notice {
  return template in notices
}
