/** What comes between a sign-in with a password and the page that it was for. */
import { type User, passkeySupport } from '../client/src/index.ts'
import { client } from './client.ts'
import { hasCode } from './failures.ts'

export type Next =
  | { kind: 'nothing' }
  /** The account must have a second factor first. */
  | { kind: 'enrolment' }
  /** A passkey is offered. */
  | { kind: 'offer' }

const nothing: Next = { kind: 'nothing' }

/** @param isProven whether a second factor was shown at this sign-in, which adding another one needs */
export async function findNext(user: User, isProven: boolean): Promise<Next> {
  const [mustEnrol, offer] = await Promise.all([needsFactor(), findOffer(user, isProven).catch(() => nothing)])
  return mustEnrol ? { kind: 'enrolment' } : offer
}

/** Whether the account must have a second factor first. Only the service knows, and refuses other calls until then. */
export async function needsFactor(): Promise<boolean> {
  return client.sessions().then(
    () => false,
    (error: unknown) => hasCode(error, 'factor_enrolment_required'),
  )
}

async function findOffer(user: User, isProven: boolean): Promise<Next> {
  const { builtIn } = await passkeySupport()
  if (!builtIn || wasOffered(user)) return nothing
  const { passkeys, totp } = await client.factors()
  if (passkeys.length > 0 || (totp && !isProven)) return nothing
  noteOffer(user)
  return { kind: 'offer' }
}

const storageKey = 'postern:passkey-offered'
/** The storage of a shared browser must not grow without an end. */
const maxUsers = 50

/** Also true where nothing can be kept: the offer would come back each time. */
function wasOffered({ id }: User): boolean {
  try {
    const kept = localStorage.getItem(storageKey) ?? ''
    localStorage.setItem(storageKey, kept)
    return kept.split(' ').includes(id)
  } catch {
    return true
  }
}

function noteOffer({ id }: User): void {
  const others = (localStorage.getItem(storageKey) ?? '').split(' ').filter(Boolean)
  localStorage.setItem(storageKey, [id, ...others].slice(0, maxUsers).join(' '))
}
