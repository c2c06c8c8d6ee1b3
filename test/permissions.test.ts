import { expect, it } from 'vitest'
import { type Role, mayActOn, mayReinstate, roles } from '../src/permissions.ts'

const as = (role: Role) => ({ user: { role } })

it('an ADMIN acts on everybody, a MODERATOR on users, and a USER on nobody', () => {
  const reached = roles.map((role) => roles.filter((target) => mayActOn(as(role), target)))
  expect(reached).toEqual([[], ['USER'], ['USER', 'MODERATOR', 'ADMIN']])
})

it('a suspension is ended by who reaches as far as its author, and by an ADMIN when nobody knows whose it is', () => {
  const authors = [...roles, null]
  const ended = roles.map((role) => authors.filter((author) => mayReinstate(as(role), author)))
  expect(ended).toEqual([[], ['MODERATOR'], ['USER', 'MODERATOR', 'ADMIN', null]])
})
