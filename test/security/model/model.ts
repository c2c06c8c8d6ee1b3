/**
 * What Postern does, said as plainly as possible: objects in lists, one method for each thing that can happen, no
 * database, no cryptography. The commands do the same to the real service and compare. Factors, ways to sign in with them
 * and changes of address have modules of their own.
 */
import type { Role } from '../../../src/permissions.ts'
import { day, hour, minute, second } from '../../support/clock.ts'
import { subjects } from '../../support/mails.ts'
import { hasOwner, isFreeAddress, isPending } from './address.ts'
import {
  type Account,
  type Attempt,
  type Device,
  type Expected,
  type ExpectedMail,
  type Link,
  type Notice,
  type Place,
  type RevertLink,
  type Row,
  type SecondStep,
  type Session,
  type Template,
  type TrustedDevice,
  notices,
} from './facts.ts'
import { factorsIdOf, hasFactors, staleness } from './strength.ts'
import { World, setPassword, told } from './world.ts'

export class Model extends World {
  // Registration and links

  register(address: string, password: string): Expected {
    const row = this.ask('registration', address)
    if (!row) return { outcome: 202 }
    this.note('user.registered', 'nobody')
    if (!this.accountOf(address) && isFreeAddress(this, address)) {
      const nothing = { password: null, passwords: 0, wasActivated: false, bio: null }
      const factors = {
        passkeys: [],
        app: undefined,
        recoveryCodes: [],
        codesRenewedAt: 0,
        factorChanges: 0,
        distrusts: 0,
      }
      const more = { serial: this.serial++, createdAt: this.now, addressChange: undefined, addressRequests: [] }
      this.accounts.push({ address, status: 'pending', role: 'USER', ...nothing, ...factors, ...more })
    }
    if (this.accountOf(address)?.status === 'pending') {
      row.attempt = { address, password, at: this.now }
      this.attempts.push(row.attempt)
    }
    return { outcome: 202, row }
  }

  resend(address: string): Expected {
    return told(202, this.ask('activation', address))
  }

  requestReset(address: string, device?: Device): Expected {
    const isKnown = this.isKnown(this.accountOf(address), device)
    return told(202, this.ask('password_reset', address, isKnown ? 'known devices' : undefined))
  }

  activate(link: Link, password: string): Expected {
    if (!this.isLive(link)) return { outcome: 'invalid_link' }
    const { account, attempt } = link
    if (account.status !== 'pending' || !attempt || !this.attempts.includes(attempt)) return { outcome: 'invalid_link' }
    const refused = this.claim(account.address)
    if (refused) return refused
    if (password !== attempt.password) {
      this.noteRefusal('user.activation_refused', 'nobody', account, 'invalid_credentials')
      return this.suspect(account.address, account.address, 'invalid_credentials')
    }
    this.note('user.activated', 'self')
    Object.assign(account, { status: 'active', wasActivated: true })
    setPassword(account, password)
    this.dropLinks(account, 'activation')
    this.dropAttempts(account.address)
    this.tries.delete(account.address)
    const notice = this.tellOwner('accountActivated', account)
    return { ...told(200, notice), session: this.open(account, { isFirst: true }) }
  }

  completeReset(link: Link, password: string): Expected {
    if (!this.isLive(link)) return { outcome: 'invalid_link' }
    const { account } = link
    this.note('user.password_reset', 'self')
    setPassword(account, password)
    if (account.status === 'pending') account.status = 'active'
    // Who can read the mail owns the mailbox, suspended or not: a reinstatement makes the account active then.
    account.wasActivated = true
    this.endSessions(account)
    this.dropLinks(account)
    this.dropAttempts(account.address)
    this.forgetTries(account.address)
    return told(204, this.tellOwner('passwordChanged', account))
  }

  // Sessions

  login(address: string, password: string, device?: Device, trusted?: TrustedDevice): Expected {
    const account = this.accountOf(address)
    const common = account ? address : `slot of ${address}`
    const budget = device && this.isKnown(account, device) ? `${address}:${device.name}` : common
    const refused = this.claim(budget)
    if (refused) return refused
    const standIn = account?.status === 'active' ? undefined : this.newestAttempt(address)?.password
    if (!account || password !== (account.password ?? standIn)) {
      this.noteRefusal('user.sign_in_refused', 'nobody', account, 'invalid_credentials')
      return this.suspect(budget, address, 'invalid_credentials')
    }
    if (account.password === null) this.giveBack(budget)
    else this.tries.delete(budget)
    if (account.status !== 'active') {
      const outcome = account.status === 'pending' ? 'account_pending' : 'account_suspended'
      this.noteRefusal('user.sign_in_refused', 'nobody', account, outcome)
      return { outcome }
    }
    const known = device && this.isKnown(account, device) ? device.name : undefined
    const isTrusted = trusted !== undefined && this.trusts(account, trusted)
    if (hasFactors(account) && !isTrusted) return this.askForFactor(account, known)
    this.note('user.signed_in', 'self')
    this.endEarlier(account, known)
    return { outcome: 200, session: this.open(account, { isTrusted: hasFactors(account) }) }
  }

  askForFactor(account: Account, device: string | undefined): Expected {
    this.noteRefusal('user.sign_in_refused', 'nobody', account, 'second_factor_required')
    const { passwords } = account
    const known = { account, passwords, factorsId: factorsIdOf(account), device }
    const step: SecondStep = {
      ...known,
      expiresAt: this.now + 5 * minute,
      isUsed: false,
      text: '',
      challenge: undefined,
    }
    this.steps.push(step)
    return { outcome: 'second_factor_required', step }
  }

  /** Whether the password is enough there. */
  trusts(account: Account, trusted: TrustedDevice): boolean {
    return (
      trusted.account === account &&
      account.role === 'USER' &&
      trusted.passwords === account.passwords &&
      trusted.factorsId === factorsIdOf(account) &&
      trusted.distrusts === account.distrusts &&
      this.now < trusted.madeAt + 30 * day
    )
  }

  /** @param generation counted back from the newest: 0 is the newest */
  /** @param older how many tokens before the newest one */
  refresh(session: Session, older: number, from: Place): Expected {
    const token = session.refreshTokens.at(-1 - older)!
    if (token.expiresAt <= this.now || !this.isAlive(session)) return { outcome: 'invalid_refresh_token' }
    if (older === 0) {
      this.rotate(session, from)
      return { outcome: 200, session }
    }
    if (!isOpen(session, older)) return { outcome: 'invalid_refresh_token' }
    if (older === 1 && this.repeats(session, from)) return { outcome: 200, session }
    if (older === 1 && this.isInFlight(session, from)) return { outcome: 'invalid_refresh_token' }
    this.note('session.reuse_detected', 'nobody')
    session.isEnded = true
    return told('refresh_token_reused', this.tellOwner('sessionReuse', session.account))
  }

  rotate(session: Session, from: Place): void {
    session.usedAt = this.now
    session.expiresAt = Math.min(this.now + 30 * day, session.createdAt + 90 * day)
    session.from = from
  }

  /** Whether a tab may have sent the token while another one changed the password. */
  isInFlight({ usedAt, settledGeneration, refreshTokens, from }: Session, { network, agent }: Place): boolean {
    const isHere = network === from.network && agent === from.agent
    return isHere && settledGeneration === refreshTokens.length && this.now < usedAt + 30 * second
  }

  /** Whether the last rotation is repeated for whoever is there. */
  repeats(session: Session, { network, agent }: Place): boolean {
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
    this.note('session.refresh_repeated', 'nobody')
    return true
  }

  logout(session: Session, older: number): Expected {
    const token = session.refreshTokens.at(-1 - older)!
    if (token.expiresAt > this.now && !session.isSwept && !session.isEnded && isOpen(session, older)) {
      this.note('session.ended', older === 0 ? 'self' : 'nobody')
      session.isEnded = true
    }
    return { outcome: 204 }
  }

  logoutAll(session: Session): Expected {
    if (!this.isSignedIn(session)) return { outcome: 'invalid_token' }
    this.note('session.ended', 'self')
    this.endSessions(session.account)
    distrust(session.account)
    return { outcome: 204 }
  }

  endOthers(session: Session): Expected {
    const refusal = this.refusal(session)
    if (refusal) return refusal
    if (this.hasLiveSession(session.account, session) || hasFactors(session.account)) {
      this.note('session.ended', 'self')
      this.endSessions(session.account, session)
      distrust(session.account)
    }
    return { outcome: 204 }
  }

  endOne(session: Session, other: Session): Expected {
    const refusal = this.refusal(session)
    if (refusal) return refusal
    if (other.account !== session.account || other.isEnded || other.isSwept) return { outcome: 'not_found' }
    this.note('session.ended', 'self')
    other.isEnded = true
    return { outcome: 204 }
  }

  // The own account

  me(session: Session): Expected {
    return { outcome: this.isSignedIn(session) ? 200 : 'invalid_token' }
  }

  /** Of a call that a confined session may not make. */
  list(session: Session): Expected {
    return this.refusal(session) ?? { outcome: 200 }
  }

  verify(session: Session): Expected {
    const isGood = session.access.expiresAt > this.now && !session.isEnded
    return { outcome: isGood ? 204 : 'invalid_token' }
  }

  describe(session: Session, bio: string): Expected {
    const refusal = this.refusal(session)
    if (refusal) return refusal
    if (session.account.bio !== bio) this.note('user.profile_updated', 'self')
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
    const refused = staleness(this, session) ?? this.claim(account.address)
    if (refused) return refused
    if (password !== account.password) {
      this.noteRefusal('user.password_change_refused', 'self', account, 'wrong_password', from.network)
      return this.suspect(account.address, account.address, 'wrong_password')
    }
    this.forgetTries(account.address)
    if (older !== null && !isOpen(session, older)) return { outcome: 'invalid_refresh_token' }
    this.note('user.password_changed', 'self')
    setPassword(account, next)
    this.endSessions(account, session)
    this.dropLinks(account, 'reset')
    const notice = this.tellOwner('passwordChanged', account)
    const newest = session.refreshTokens.length
    if (older === null) {
      session.settledGeneration = newest
      return told(204, notice)
    }
    this.rotate(session, from)
    session.firstGeneration = newest + 1
    return { ...told(200, notice), session }
  }

  deleteMe(session: Session, password: string): Expected {
    const { account } = session
    const refused = this.refusal(session) ?? staleness(this, session) ?? this.claim(account.address)
    if (refused) return refused
    if (password !== account.password) {
      this.noteRefusal('user.deletion_refused', 'self', account, 'wrong_password')
      return this.suspect(account.address, account.address, 'wrong_password')
    }
    this.note('user.deleted', 'self')
    return { outcome: 204, ...this.erase(account) }
  }

  // Administration

  suspend(account: Account): Expected {
    if (account.status === 'suspended') return { outcome: 'user_suspended' }
    this.note('user.suspended', 'admin')
    account.status = 'suspended'
    account.distrusts++
    const change = account.addressChange
    if (change) change.expiresAt = Math.min(change.expiresAt, this.now)
    this.endSessions(account)
    return { outcome: 200, ...this.tellIfProven('accountSuspended', account) }
  }

  reinstate(account: Account): Expected {
    if (account.status !== 'suspended') return { outcome: 'not_suspended' }
    this.note('user.reinstated', 'admin')
    account.status = account.wasActivated ? 'active' : 'pending'
    return { outcome: 200, ...this.tellIfProven('accountReinstated', account) }
  }

  assignRole(account: Account, role: Role): Expected {
    if (account.role === role) return { outcome: 200 }
    if (role !== 'USER' && !account.wasActivated) return { outcome: 'not_activated' }
    this.note('user.role_changed', 'admin')
    account.role = role
    this.endSessions(account)
    return { outcome: 200, ...this.tellIfProven('roleChanged', account) }
  }

  activateByAdmin(account: Account): Expected {
    if (account.status !== 'pending') return { outcome: account.status === 'active' ? 200 : 'user_suspended' }
    this.note('user.activated', 'admin')
    Object.assign(account, { status: 'active', wasActivated: true })
    setPassword(account, null)
    this.dropLinks(account)
    this.dropAttempts(account.address)
    const row = this.tellOwner('set_password', account)
    if (row) row.isOnRecord = true
    return told(200, row)
  }

  startReset(account: Account): Expected {
    const row = this.tellOwner('password_reset', account, 'an ADMIN')
    if (!row) return { outcome: 202 }
    this.note('user.password_reset_requested', 'admin')
    row.isOnRecord = true
    return { outcome: 202, row }
  }

  endSessionsOf(account: Account): Expected {
    if (this.hasLiveSession(account) || hasFactors(account)) {
      this.note('session.ended', 'admin')
      this.endSessions(account)
      distrust(account)
    }
    return { outcome: 204 }
  }

  deleteAccount(account: Account): Expected {
    this.note('user.deleted', 'admin')
    return { outcome: 204, ...this.erase(account) }
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
      return this.write(row) ?? []
    })
  }

  write(row: Row): ExpectedMail | undefined {
    const { address, template } = row
    const account = this.accountOf(address)
    if (template === 'signInAttempts') {
      if (account?.status !== 'active') return undefined
      row.account = account
    }
    if (isNotice(template)) return { to: address, subject: notices[template], row }
    switch (template) {
      case 'emailChange':
        return this.writeOffer(row)
      case 'emailChangeNotice':
        return this.writeRevert(row, subjects.emailChangeNotice)
      case 'emailChanged':
        return this.writeRevert(row, subjects.emailChanged) ?? { to: address, subject: subjects.emailChanged, row }
      case 'registration':
        if (account?.status !== 'pending') {
          const owner = account ?? hasOwner(this, address)
          if (!owner) return undefined
          row.account = owner
          return { to: address, subject: subjects.accountExists, row }
        }
        return this.writeLink(row, 'activation', subjects.activation, row.attempt)
      case 'activation':
        if (account?.status !== 'pending') return undefined
        return this.writeLink(row, 'activation', subjects.activation, this.newestAttempt(address))
      case 'password_reset':
        return this.writeLink(row, 'reset', subjects.passwordReset)
      case 'set_password':
        return this.writeLink(row, 'reset', subjects.setPassword)
    }
  }

  /** To the address that somebody wants to have. */
  writeOffer(row: Row): ExpectedMail | undefined {
    const { address, account } = row
    if (account?.addressChange?.offer !== row || account.addressChange.isApplied) return undefined
    if (isFreeAddress(this, address)) return this.writeLink(row, 'email_change', subjects.emailChange)
    return { to: address, subject: subjects.emailChangeTaken, row }
  }

  /** To the address that the account has or had. */
  writeRevert(row: Row, subject: string): ExpectedMail | undefined {
    const { address, account } = row
    const change = account?.addressChange
    if (!account || change?.from !== address) return undefined
    const revert: RevertLink = { account, first: change.first, expiresAt: row.at + 3 * day, text: '' }
    this.reverts.push(revert)
    return { to: address, subject, row, revert }
  }

  writeLink(row: Row, purpose: Link['purpose'], subject: string, attempt?: Attempt): ExpectedMail | undefined {
    const account = purpose === 'email_change' ? row.account : this.accountOf(row.address)
    if (!account || (purpose === 'activation' && (!attempt || !this.attempts.includes(attempt)))) return undefined
    row.account = account
    if (purpose === 'email_change' && !isPending(this, account, row)) return undefined
    const expiresAt = this.now + (purpose === 'activation' ? day : hour)
    const link: Link = { row, purpose, account, attempt, expiresAt, isGone: false, text: '' }
    this.links.push(link)
    // What an ADMIN or a registration asked for was told then.
    if (row.template === 'activation') this.note('user.activation_requested', 'nobody')
    if (row.template === 'password_reset' && !row.isOnRecord) this.note('user.password_reset_requested', 'nobody')
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
    for (const account of this.accounts) {
      if (account.addressChange && account.addressChange.revertUntil <= this.now) account.addressChange = undefined
    }
    for (const [budget, { count, updatedAt }] of this.tries) {
      if (isOlder(updatedAt, count < 100 ? 30 * day : 400 * day)) this.tries.delete(budget)
    }
    const isRecent = ({ at }: Attempt) => !isOlder(at, 7 * day)
    for (const account of this.accounts) {
      const { address, status, createdAt } = account
      const mayStill =
        this.attempts.some((attempt) => attempt.address === address && isRecent(attempt)) ||
        this.links.some((link) => link.account === account && this.isLive(link))
      if (status !== 'pending' || !isOlder(createdAt, 7 * day) || mayStill) continue
      this.expire(account)
    }
    this.trail = this.trail.filter(({ at }) => !isOlder(at, 400 * day))
    this.attempts = this.attempts.filter(
      ({ address }) =>
        this.accountOf(address)?.status === 'pending' ||
        this.attempts.some((other) => other.address === address && isRecent(other)),
    )
  }
}

/** Whether no change of the password has closed the token. */
function isOpen({ refreshTokens, firstGeneration }: Session, older: number): boolean {
  return refreshTokens.length - older >= firstGeneration
}

/** Where there are factors, trust in devices ends with their sessions. */
function distrust(account: Account): void {
  if (hasFactors(account)) account.distrusts++
}

function isNotice(template: Template): template is Notice {
  return template in notices
}
