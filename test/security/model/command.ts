/** What every command of the model is made of, and what several of them do. */
import * as fc from 'fast-check'
import { decodeJwt } from 'jose'
import { env } from 'cloudflare:workers'
import { expect } from 'vitest'
import { mailCode } from '../../../src/crypto/mail-code.ts'
import { parseSecretKeys } from '../../../src/crypto/keys.ts'
import type { Role } from '../../../src/permissions.ts'
import type { Success } from '../../support/api.ts'
import { second } from '../../support/clock.ts'
import { linkTokenIn } from '../../support/inbox.ts'
import { goodPassword, otherPassword } from '../../support/person.ts'
import type { Account, Device, Expected, Link, Row, Session } from './facts.ts'
import type { Model } from './model.ts'
import { type Real, advance, askingForNewest, compare, currentAdmin, expectSame, findUser } from './real.ts'

export const addresses = ['ada@example.com', 'bob@example.com', 'eve@example.com'] as const
export const passwords = [goodPassword, otherPassword, 'two brave otters sketch'] as const

/** How often which command was run. */
export const tally = new Map<string, number>()

/** As much of the model as fast-check shows before a command is run. */
export type Glance = Readonly<Model>
export type Run = (model: Model, real: Real) => Promise<void>

class Command implements fc.AsyncCommand<Model, Real> {
  readonly #name: string
  readonly #arguments: string
  readonly #isPossible: (model: Glance) => boolean
  readonly #run: Run

  constructor(name: string, values: readonly unknown[], isPossible: (model: Glance) => boolean, run: Run) {
    this.#name = name
    this.#arguments = values.map((value) => JSON.stringify(value) ?? '-').join(', ')
    this.#isPossible = isPossible
    this.#run = run
  }

  check(model: Glance): boolean {
    return this.#isPossible(model)
  }

  async run(model: Model, real: Real): Promise<void> {
    tally.set(this.#name, (tally.get(this.#name) ?? 0) + 1)
    // No two things happen in the same millisecond, so that ids are in their order.
    advance(model, real, second)
    await this.#run(model, real)
  }

  toString(): string {
    return `${this.#name}(${this.#arguments})`
  }
}

export const always = () => true
export const hasSession = (model: Glance) => model.sessions.length > 0
export const hasLink = (model: Glance) => model.links.length > 0

/** The last one mostly by a change. */
export const address = fc.constantFrom(...addresses, ...addresses.slice(0, 2), ...addresses.slice(0, 2))
export const password = fc.constantFrom(...passwords)
/** Which of what there is; the newest mostly, since that is what can still do something. */
export const which = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat(40) })
export const generation = fc.oneof(
  { weight: 4, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.constant(1) },
  fc.nat(4),
)
export const role = fc.constantFrom<Role>('USER', 'MODERATOR', 'ADMIN')

/** Counted from the newest. */
export function pick<T>(list: readonly T[], index: number): T {
  return list.at(-1 - (index % list.length))!
}

export const pickSession = (model: Model, index: number): Session => pick(model.sessions, index)

/** One that can still do something, if there is one. */
export function pickSignedIn(model: Model, index: number): Session {
  const signedIn = model.sessions.filter((session) => model.isSignedIn(session))
  return pick(signedIn.length > 0 ? signedIn : model.sessions, index)
}

export const pickGeneration = ({ refreshTokens }: Session, index: number): number => index % refreshTokens.length
export const tokenOf = (session: Session, index: number): string => session.refreshTokens.at(-1 - index)!.text

export const post = async (real: Real, path: string, body: object, expected: Expected) =>
  void (await compare(real, expected, 'POST', path, { body }))

export const bearer = async (
  real: Real,
  method: string,
  path: string,
  session: Session,
  expected: Expected,
  body?: object,
) => compare(real, expected, method, path, { token: session.access.text, ...(body && { body }) })

/** Of a path that reads, as it is now: no replica that lags answers. */
export const newest = async (real: Real, path: string, session: Session, expected: Expected) =>
  compare(real, expected, 'GET', path, { token: session.access.text, ...askingForNewest })

export function command<T extends unknown[]>(
  name: string,
  arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> },
  run: (...values: T) => Run,
  isPossible: (model: Glance, ...values: T) => boolean = always,
) {
  const arbitrary = fc
    .tuple<T>(...arbitraries)
    .map((values) => new Command(name, values, (model) => isPossible(model, ...values), run(...values)))
  return { name, arbitrary }
}

export function pickDevice({ devices }: Model, index: number | null): Device | undefined {
  return index === null || devices.length === 0 ? undefined : pick(devices, index)
}

export function keepDevice(model: Model, session: Session, { device_token: text }: Success<'login'>): void {
  const { account } = session
  const { passwords, address } = account
  const name = String(decodeJwt(text).jti)
  session.device = name
  model.devices.push({ account, passwords, address, name, text, madeAt: model.now })
}

/** Of the kind that the call is for, if there is one. Those too that nobody can use any more. */
export function pickLink(model: Model, purpose: Link['purpose'], index: number): Link {
  const ofKind = model.links.filter((link) => link.purpose === purpose)
  return pick(ofKind.length > 0 ? ofKind : model.links, index)
}

/** An act of the ADMIN on whoever has an address. */
export const administrationOf =
  (
    email: string,
    method: string,
    path: string,
    expected: (model: Model, account: Account) => Expected,
    body?: object,
  ): Run =>
  async (model, real) => {
    const account = model.accountOf(email)
    const user = await findUser(model, real, email)
    expectSame(account, user)
    if (!account) return
    const { accessToken: token } = await currentAdmin(model, real)
    await compare(real, expected(model, account), method, `/users/${user!.id}${path}`, { token, ...(body && { body }) })
  }

export async function deliverAll(model: Model, real: Real): Promise<void> {
  const { mailbox } = real.service
  const before = mailbox.mails().length
  const expected = model.deliver()
  await real.service.deliver()
  const mails = mailbox.mails().slice(0, mailbox.mails().length - before)
  const nameOf = ({ to, subject }: { to: string | string[]; subject: string }) => `${String(to)}: ${subject}`
  expect(mails.map(nameOf).toSorted()).toEqual(expected.map(nameOf).toSorted())
  // A link is told from the others by the row it was made from, and the link that undoes a change from the one that makes it
  // by its end.
  const texts = mails.filter(({ text }) => text?.includes('#token=')).map(linkTokenIn)
  const findLink = (row: Row, expiresAt: number): string => {
    const found = texts.find((text) => {
      const { jti, exp } = decodeJwt(text)
      return jti === row.id && Number(exp) * second === expiresAt
    })
    expect(found, `a link until ${expiresAt}`).toBeDefined()
    return found!
  }
  for (const { link, revert } of expected) {
    if (link) link.text = findLink(link.row, link.expiresAt)
    if (revert) revert.text = findLink(revert.first, revert.expiresAt)
  }
  for (const { row } of expected.filter(({ row }) => row.session)) {
    const session = row.session!
    const { sub, sid } = decodeJwt(session.access.text)
    const owner = { userId: String(sub), sessionId: String(sid) }
    const text = await mailCode(parseSecretKeys(env.DATA_KEYS), owner, row.id)
    expect(mails.some((mail) => mail.text?.includes(text))).toBe(true)
    session.mailCodes.push({ at: row.at, text })
  }
}
