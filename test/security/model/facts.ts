/** What the model knows: plain data, without what happens to it. */
import type { ProblemCode } from '../../../src/problems.ts'
import type { Role } from '../../../src/permissions.ts'
import type { AuditType } from '../../../src/store/schema/audit.ts'
import type { UserStatus } from '../../../src/store/schema/users.ts'
import type { Authenticator } from '../../support/authenticator.ts'
import type { App } from '../../support/factors.ts'
import { subjects } from '../../support/mails.ts'

export type Outcome = number | ProblemCode

/** Why something was refused, where the answer does not tell. */
export type Reason = 'used_challenge' | 'used_meanwhile' | 'step_up'

export interface Account {
  /** No two accounts have the same. */
  serial: number
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
  passkeys: Passkey[]
  app: TotpApp | undefined
  recoveryCodes: string[]
  /** When they were renewed last. */
  codesRenewedAt: number
  /** How many changes of the factors there were. */
  factorChanges: number
  /** How often the trust in all devices ended. */
  distrusts: number
  addressChange: AddressChange | undefined
  /** When the account asked for another one today. */
  addressRequests: number[]
}

/** An attempt to register. */
export interface Attempt {
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
  /** How and when the user proved who they are. */
  ways: Way[]
  provenAt: number
  /** It began with the activation of the account. */
  isFirst: boolean
  /** The password was enough, because the device is trusted. */
  isTrusted: boolean
  /** The codes that were mailed to it. */
  mailCodes: { at: number; text: string }[]
  /** The refresh tokens so far; the newest is last. The texts come from the service. */
  refreshTokens: { text: string; expiresAt: number }[]
  access: { text: string; expiresAt: number }
}

export interface Link {
  /** The outbox row that carried it. */
  row: Row
  purpose: 'activation' | 'reset' | 'email_change'
  account: Account
  attempt: Attempt | undefined
  expiresAt: number
  isGone: boolean
  text: string
}

export const notices = {
  accountActivated: subjects.accountActivated,
  passwordChanged: subjects.passwordChanged,
  sessionReuse: subjects.sessionReuse,
  signInAttempts: 'Wrong passwords for your Postern account',
  accountSuspended: subjects.accountSuspended,
  accountReinstated: subjects.accountReinstated,
  roleChanged: subjects.roleChanged,
  accountDeleted: subjects.accountDeleted,
  factorAdded: subjects.factorAdded,
  factorRemoved: subjects.factorRemoved,
  passkeyRenamed: subjects.passkeyRenamed,
  recoveryCodesRenewed: subjects.recoveryCodesRenewed,
  recoveryCodeUsed: subjects.recoveryCodeUsed,
  factorAttempts: subjects.factorAttempts,
  factorsReset: subjects.factorsReset,
  factorCode: subjects.factorCode,
  emailReverted: subjects.emailReverted,
}

/** With a link. */
type Request = 'registration' | 'activation' | 'password_reset' | 'set_password'
/** About another address, with a link or without one. */
type AboutAddress = 'emailChange' | 'emailChangeNotice' | 'emailChanged'
/** With nothing but news. */
export type Notice = keyof typeof notices
export type Template = Request | AboutAddress | Notice

/** A row of the outbox. */
export interface Row {
  id: string
  address: string
  template: Template
  attempt: Attempt | undefined
  /** Whom it is about, as far as that is known. */
  account: Account | undefined
  /** To whose session it carries a code. */
  session?: Session
  budget: string
  /** What asked for it is in the trail, so its link is not. */
  isOnRecord: boolean
  at: number
  dueAt: number
  isDone: boolean
  /** The queue knows of it. */
  isQueued: boolean
}

export interface Tries {
  count: number
  allowedAt: number
  updatedAt: number
}

export interface Device {
  account: Account
  /** Which of the account's passwords it signed in with. */
  passwords: number
  /** The account's then. */
  address: string
  name: string
  text: string
  madeAt: number
}

/** What the audit trail tells. */
export interface Event {
  type: AuditType
  at: number
  by: Doer
  /** Whether it is about an account. */
  hasUser: boolean
  /** What further refusals of the hour have in common with this one. */
  refusal?: { account: Account | undefined; reason: Outcome | Reason; network: Place['network'] }
}

export type Doer = 'self' | 'admin' | 'nobody'

/** What a call is answered, and what came of it. */
export interface Expected {
  outcome: Outcome
  retryAfter?: number
  session?: Session
  /** The outbox row it wrote, if any. */
  row?: Row
  /** The same for several, in the order in which the queue hears of them. */
  rows?: Row[]
  /** What the next step of a sign-in needs. */
  step?: SecondStep
  /** The session whose access token is renewed, and nothing else of it. */
  lifted?: Session
}

export interface ExpectedMail {
  to: string
  subject: string
  row: Row
  /** The link in it. Its text is not known yet. */
  link?: Link
  /** The link in it that undoes a change of address. */
  revert?: RevertLink
}

export interface RevertLink {
  account: Account
  /** The row that carried the first of the requests that it undoes. */
  first: Row
  expiresAt: number
  text: string
}

/** RFC 8176. */
export type Way = 'pwd' | 'otp' | 'pop' | 'user' | 'mfa'

export interface TotpApp {
  app: App
  addedAt: number
  /** No code of this time or an earlier one counts any more. */
  lastStep: number
}

export interface Passkey {
  account: Account
  /** The service's. */
  id: string
  name: string
  authenticator: Authenticator
  addedAt: number
  /** When it answered challenges. */
  usedAt: number[]
}

/** An app that was shown to somebody and not confirmed. */
export interface Setup {
  session: Session
  factorsId: number | undefined
  expiresAt: number
  text: string
  app: App
}

/** A sign-in that still lacks a factor. */
export interface SecondStep {
  account: Account
  passwords: number
  factorsId: number | undefined
  /** The device, if it was known. */
  device: string | undefined
  expiresAt: number
  isUsed: boolean
  text: string
  /** For a passkey. */
  challenge: { token: string; options: { challenge: string; rpId: string } } | undefined
}

export interface TrustedDevice {
  account: Account
  passwords: number
  factorsId: number | undefined
  distrusts: number
  madeAt: number
  text: string
}

/** What somebody shows as a factor. */
export type Shown =
  | { kind: 'totp'; isOfApp: TotpApp | undefined; step: number }
  | { kind: 'recovery_code'; code: string }
  | { kind: 'passkey'; passkey: Passkey | undefined; isAnswer: boolean }

/** The last one of an account. */
export interface AddressChange {
  from: string
  to: string
  /** The row with the link to the new address, and that of the first of several requests in a row. */
  offer: Row
  first: Row
  /** At the request. Others void it. */
  passwords: number
  factorChanges: number
  expiresAt: number
  isApplied: boolean
  revertUntil: number
}
