/** Where a browser is led after a sign-in, a sign-up or a reset: never to anybody else. */
import { decodeJwt } from 'jose'
import * as fc from 'fast-check'
import { describe, expect } from 'vitest'
import { findDestination, returnToMaxLength } from '../../src/return-to.ts'
import { expectInvalid } from '../support/answers.ts'
import { hour } from '../support/clock.ts'
import { it } from '../support/fixtures.ts'
import { goodPassword } from '../support/person.ts'
import { elsewhere, spellings, spellingsAgainst } from '../support/spellings.ts'
import { nothing, observe } from '../support/state.ts'

const own = 'https://accounts.example.com'
const app = 'https://app.example.com'
const isOurs = (address: string) => [own, app].some((origin) => address.startsWith(`${origin}/`))

describe('a destination', () => {
  it('is ours or undefined, whatever the spelling, and its text is read by a browser as it stands', () => {
    const check = (asked: string) => {
      const found = findDestination(asked, own, [app])
      if (found === undefined) return
      expect(isOurs(found), `${JSON.stringify(asked)} leads to ${found}`).toBe(true)
      expect(new URL(found, 'https://other.example').href).toBe(found)
      expect(findDestination(found, own, [app])).toBe(found)
      expect(found).toMatch(/^[\x21-\x7e]+$/)
    }
    for (const asked of [...spellingsAgainst(own), ...spellingsAgainst(app)]) check(asked)
    fc.assert(fc.property(fc.oneof(spellings(own), spellings(app), fc.webUrl()), check), { numRuns: 20_000 })
  })

  it('is what was asked for: a path, a query and a fragment of ours or of an allowed origin', () => {
    const paths = fc.webUrl({ validSchemes: ['https'], withQueryParameters: true, withFragments: true })
    fc.assert(
      fc.property(paths, fc.constantFrom(own, app), (url, origin) => {
        const { href } = new URL(url.replace(/^https:\/\/[^/?#]*/, origin))
        expect(findDestination(href, own, [app])).toBe(href)
      }),
    )
    expect(findDestination('/account?view=x#y', own, [])).toBe(`${own}/account?view=x#y`)
    expect(findDestination(`${app}/`, own, [])).toBeUndefined()
    expect(findDestination('https://APP.example.com:443', own, [app])).toBe(`${app}/`)
  })
})

describe('return_to', () => {
  it.override('options', { env: { CORS_ORIGINS: app } })

  const asking = ['register', 'resendActivation', 'requestPasswordReset'] as const
  const email = 'ada@example.com'
  const bodyOf = {
    register: { email, password: goodPassword },
    resendActivation: { email },
    requestPasswordReset: { email },
  }

  it.for(asking)(
    'of %s is refused in every spelling that leads elsewhere, without any effect',
    async (operation, { service, anonymous }) => {
      const foreign = spellingsAgainst(own).filter((asked) => findDestination(asked, own, [app]) === undefined)
      expect(foreign.length).toBeGreaterThan(50)
      const { effects } = await observe(service, async () => {
        for (const asked of foreign) {
          const answer = await anonymous.call(operation, { body: { ...bodyOf[operation], return_to: asked } }).answer
          expectInvalid(answer, '/return_to')
        }
      })
      expect(effects).toEqual(nothing)
    },
  )

  it.for(asking)(
    'of %s is too_big when it or its URL has more than 512 characters',
    async (operation, { anonymous }) => {
      const longest = `/${'a'.repeat(returnToMaxLength - own.length - 1)}`
      const codeOf = async (asked: string) => {
        const body = { ...bodyOf[operation], return_to: asked }
        const { status, json } = await anonymous.call(operation, { body }).answer
        return status === 202 ? 'taken' : (json as { errors: { code: string }[] }).errors[0]?.code
      }
      expect(await codeOf(longest)).toBe('taken')
      for (const asked of [`${longest}a`, `/${'a'.repeat(returnToMaxLength)}`, `/${'ä'.repeat(200)}`]) {
        expect(await codeOf(asked), asked).toBe('too_big')
      }
    },
  )

  it('is inside the token of every link that it was given for, and in no other text of the email', async ({
    service,
    clock,
    anonymous,
    people,
    inbox,
  }) => {
    await people.signUp('bob@example.com')
    const mine = { register: email, resendActivation: email, requestPasswordReset: 'bob@example.com' }
    for (const operation of asking) {
      for (const [asked, href] of [
        [`/account?why=${operation}-call-0190`, `${own}/account?why=${operation}-call-0190`],
        [`${app}/welcome#${operation}`, `${app}/welcome#${operation}`],
        [`/.//${elsewhere}`, `${own}//${elsewhere}`],
      ] as const) {
        const body = { ...bodyOf[operation], email: mine[operation], return_to: asked }
        await anonymous.call(operation, { body })
        await service.deliver()
        // Past the budget of emails.
        clock.advance(hour)
        expect(decodeJwt(inbox.linkToken(mine[operation]))['return_to']).toBe(href)
        const { text, html } = inbox.newest(mine[operation])
        for (const part of ['0190', 'welcome', elsewhere]) expect(`${text}${html}`).not.toContain(part)
      }
    }
  })

  it('changes nothing about a link: null is as good as nothing, and the link works', async ({
    service,
    anonymous,
    inbox,
  }) => {
    await anonymous.call('register', { body: { ...bodyOf.register, return_to: null } })
    await service.deliver()
    expect(decodeJwt(inbox.linkToken(email))).not.toHaveProperty('return_to')
    await anonymous.call('resendActivation', { body: { email, return_to: '/console' } })
    await service.deliver()
    const { user } = await anonymous.activate({ token: inbox.linkToken(email), password: goodPassword })
    expect(user.email).toBe(email)
  })
})
