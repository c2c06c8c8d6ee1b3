/** A new address for an account: asked for, proven, and undone. */
import { day } from '../../support/clock.ts'
import { removeLateFactors } from './factors.ts'
import type { Account, Expected, Link, RevertLink, Row, Session } from './facts.ts'
import { freshness } from './strength.ts'
import { type World, budgetOf, setPassword } from './world.ts'

/** Who may still get an address back. */
export function hasOwner({ accounts, now }: World, address: string): Account | undefined {
  return accounts.find(({ addressChange: change }) => {
    return change?.isApplied && change.from === address && change.revertUntil > now
  })
}

/** A pending account takes an address from nobody. */
export function isFreeAddress(model: World, address: string): boolean {
  return !isTaken(model, address) && hasOwner(model, address) === undefined
}

function isTaken(model: World, address: string): boolean {
  return (model.accountOf(address)?.status ?? 'pending') !== 'pending'
}

/** Whether the link in that row can still give the account its address. */
export function isPending({ now }: World, account: Account, offer: Row): boolean {
  const change = account.addressChange
  return (
    change?.offer === offer &&
    !change.isApplied &&
    change.expiresAt > now &&
    account.status === 'active' &&
    account.address === change.from &&
    account.passwords === change.passwords &&
    account.factorChanges === change.factorChanges
  )
}

export function requestAddress(model: World, session: Session, to: string): Expected {
  const refusal = model.refusal(session) ?? freshness(model, session)
  if (refusal) return refusal
  const { account } = session
  const { now } = model
  const { address: from, passwords, factorChanges, addressChange: before } = account
  const isOpen = before !== undefined && before.revertUntil > now
  if (isOpen && before.isApplied) return { outcome: 'email_recently_changed' }
  const dayOf = (at: number) => Math.floor(at / day)
  const today = account.addressRequests.filter((at) => dayOf(at) === dayOf(now))
  if (today.length >= 10) return { outcome: 'rate_limited', retryAfter: (day - (now % day)) / 1000 }
  if (!model.hasRoom(from, budgetOf('emailChangeNotice'))) return { outcome: 'rate_limited', retryAfter: 3600 }
  account.addressRequests = [...today, now]
  model.note('user.email_change_requested', 'self')
  // Without room in the mailbox nothing is sent, and the request counts all the same.
  const offer = model.ask('emailChange', to, undefined, account) ?? model.draft('emailChange', to, '', account)
  const notice = to === from ? [] : [model.tellOwner('emailChangeNotice', account)!]
  const times = { expiresAt: now + day, revertUntil: now + 3 * day }
  const first = isOpen ? before.first : offer
  account.addressChange = { from, to, offer, first, passwords, factorChanges, ...times, isApplied: false }
  return { outcome: 202, rows: [offer, ...notice] }
}

export function confirmAddress(model: World, session: Session, link: Link): Expected {
  const refusal = model.refusal(session)
  if (refusal) return refusal
  const { account } = session
  const change = account.addressChange
  const isGood = link.purpose === 'email_change' && model.isLive(link) && isPending(model, account, link.row)
  if (!isGood || !change || !isFreeAddress(model, change.to)) return { outcome: 'invalid_link' }
  const { from, to } = change
  model.note('user.email_changed', 'self')
  const squatter = model.accountOf(to)
  if (squatter) model.expire(squatter)
  model.dropLinks(account)
  const tries = model.tries.get(from)
  model.forgetTries(to)
  model.forgetTries(from)
  if (tries) model.tries.set(to, tries)
  account.address = to
  Object.assign(change, { isApplied: true, revertUntil: model.now + 3 * day })
  const mails = [from, to].map((address) => model.ask('emailChanged', address, undefined, account))
  return { outcome: 200, rows: storedOf(mails) }
}

/** The queue hears of those that are stored. */
function storedOf(mails: readonly (Row | undefined)[]): Row[] {
  return mails.filter((mail) => mail !== undefined)
}

export function revertAddress(model: World, link: RevertLink): Expected {
  const { account, first } = link
  const change = account.addressChange
  const isGood = model.now < link.expiresAt && change?.first === first && change.revertUntil > model.now
  if (!isGood) return { outcome: 'invalid_link' }
  const { from, to } = change
  model.note('user.email_change_reverted', 'nobody')
  const isOurs = to !== from && (account.address === to || !isTaken(model, to))
  const atOld = model.ask('emailReverted', from, undefined, account)
  const atNew = isOurs ? model.ask('emailReverted', to, undefined, account) : undefined
  const reset = model.ask('password_reset', from, 'a revert', account)
  if (reset) reset.isOnRecord = true
  model.endSessions(account)
  model.dropLinks(account)
  model.forgetTries(account.address)
  model.forgetFactorTries(account)
  removeLateFactors(account, first.at - day)
  account.address = from
  setPassword(account, null)
  account.addressChange = undefined
  return { outcome: 204, rows: storedOf([atOld, atNew, reset]) }
}
