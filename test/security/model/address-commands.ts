/** Changing the address of an account. */
import * as fc from 'fast-check'
import { expect } from 'vitest'
import type { Success } from '../../support/api.ts'
import { confirmAddress, requestAddress, revertAddress } from './address.ts'
import {
  addresses,
  bearer,
  command,
  deliverAll,
  hasLink,
  hasSession,
  pick,
  pickLink,
  pickSignedIn,
  post,
  which,
} from './command.ts'
import type { Link, Session } from './facts.ts'
import type { Model } from './model.ts'
import type { Real } from './real.ts'

async function confirm(model: Model, real: Real, session: Session, link: Link): Promise<void> {
  const expected = confirmAddress(model, session, link)
  const { json } = await bearer(real, 'POST', '/users/me/email/confirm', session, expected, { token: link.text })
  if (expected.outcome === 200) expect((json as Success<'confirmEmail'>).email).toBe(session.account.address)
}

async function request(model: Model, real: Real, session: Session, email: string): Promise<void> {
  await bearer(real, 'POST', '/users/me/email', session, requestAddress(model, session, email), { email })
}

const newAddress = fc.constantFrom(...addresses, 'eve@example.com')

export const addressCommands = [
  command<[number, string]>(
    'ask for an address',
    [which, newAddress],
    (index, email) => async (model, real) => request(model, real, pickSignedIn(model, index), email),
    hasSession,
  ),
  command<[number, string]>(
    'change the address',
    [which, newAddress],
    (index, email) => async (model, real) => {
      const session = pickSignedIn(model, index)
      await request(model, real, session, email)
      await deliverAll(model, real)
      const link = model.links.findLast(({ purpose }) => purpose === 'email_change')
      if (link) await confirm(model, real, session, link)
    },
    hasSession,
  ),
  command<[number, number]>(
    'confirm an address',
    [which, which],
    (index, other) => async (model, real) =>
      confirm(model, real, pickSignedIn(model, index), pickLink(model, 'email_change', other)),
    (model) => hasSession(model) && hasLink(model),
  ),
  command<[number]>(
    'undo a change of address',
    [which],
    (index) => async (model, real) => {
      const link = pick(model.reverts, index)
      await post(real, '/auth/email/revert', { token: link.text }, revertAddress(model, link))
    },
    ({ reverts }) => reverts.length > 0,
  ),
]
