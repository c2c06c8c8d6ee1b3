/** What the sign-in page does after the password, and with passkeys. The service's answers are scripted. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { accessibilityFaults } from './support/accessibility.ts'
import { assertNoSidewaysScroll, focused } from './support/browser.ts'
import { ada, runService } from './support/running-service.ts'
import { VirtualAuthenticator, declineDialogs } from './support/virtual-authenticator.ts'
import type { Visitor } from './support/visitor.ts'

const problem = (status: number, code: string, more: object = {}) => ({
  status,
  contentType: 'application/problem+json',
  body: JSON.stringify({ code, detail: 'x', ...more }),
})
/** A challenge that no authenticator has a passkey for. */
const challenge = { challenge_token: 'c', public_key: { challenge: 'AQEBAQEBAQEBAQEBAQEBAQ' } }
const codes = Array.from({ length: 8 }, (_, n) => `ABCD-EFGH-JKMN-PQRS-TVWX-000${n}`)

describe('the second step of a sign-in', { timeout: 300_000 }, () => {
  const { visit } = runService()

  /** Opens the page and signs in with an account that has these factors. */
  async function reachStep({ page }: Visitor, factors: string[], passkey: object | null = null) {
    await page.route('**/auth/login', (route) =>
      route.fulfill(problem(403, 'second_factor_required', { factor_token: 't', factors, passkey, expires_in: 300 })),
    )
    await page.goto('/sign-in')
  }

  /** Answers the second step, and collects what was sent. */
  async function scriptStep(page: Page, ...answers: ReturnType<typeof problem>[]) {
    const bodies: Record<string, unknown>[] = []
    await page.route('**/auth/second-factor', (route) => {
      bodies.push(route.request().postDataJSON() as Record<string, unknown>)
      return route.fulfill(answers.shift() ?? problem(500, 'internal_error'))
    })
    return bodies
  }

  it('asks for a code with the focus in its field, made for a number pad and for autofill', async () => {
    await visit(async (visitor) => {
      const { page } = visitor
      await reachStep(visitor, ['totp', 'recovery_code'])
      await visitor.enter(ada)
      await visitor.seesHeading('One more step')
      assert.equal(await focused(page), 'input Code from your authenticator app')
      assert.match(await page.title(), /^One more step/)
      const field = visitor.field('Code from your authenticator app')
      assert.equal(await field.getAttribute('inputmode'), 'numeric')
      assert.equal(await field.getAttribute('autocomplete'), 'one-time-code')
    })
  })

  it('takes a code with spaces, says beside the field that it is wrong, and sends the trust', async () => {
    await visit(async (visitor) => {
      const { page } = visitor
      await reachStep(visitor, ['totp'])
      const sent = await scriptStep(page, problem(403, 'wrong_second_factor'))
      await visitor.enter(ada)
      await visitor.press('Continue')
      await visitor.seesErrorAt('Code from your authenticator app', /Enter the code/)
      await visitor.fill('Code from your authenticator app', ' 123 456 ')
      await visitor.field('Do not ask again on this device for 30 days').check()
      await page.keyboard.press('Enter')
      await visitor.seesErrorAt('Code from your authenticator app', /wrong or has already been used/)
      assert.equal(await focused(page), 'input Code from your authenticator app')
      assert.deepEqual(sent, [{ factor_token: 't', totp: '123456', trust_device: true, transport: 'cookie' }])
    })
  })

  it('has another way for each factor of the account, and one back', async () => {
    await visit(async (visitor) => {
      const { page } = visitor
      await reachStep(visitor, ['totp', 'recovery_code'])
      const sent = await scriptStep(page, problem(403, 'wrong_second_factor'))
      await visitor.enter(ada)
      await visitor.press('Use a recovery code')
      assert.equal(await focused(page), 'input Recovery code')
      await page.keyboard.type('abcd-efgh')
      await page.keyboard.press('Enter')
      await visitor.seesErrorAt('Recovery code', /wrong or has already been used/)
      assert.equal(sent[0]?.['recovery_code'], 'abcd-efgh')
      await visitor.press('Use the authenticator app')
      assert.equal(await focused(page), 'input Code from your authenticator app')
      await visitor.press('Back to sign-in')
      assert.equal(await visitor.field('Email address').inputValue(), ada.email)
      assert.equal(await focused(page), 'input Password')
    })
  })

  it('begins anew when it has taken too long, and says so', async () => {
    await visit(async (visitor) => {
      await reachStep(visitor, ['totp'])
      await scriptStep(visitor.page, problem(401, 'invalid_factor_token'))
      await visitor.enter(ada)
      await visitor.fill('Code from your authenticator app', '123456')
      await visitor.press('Continue')
      await visitor.page.getByRole('alert').getByText('That took too long').waitFor()
      assert.equal(await visitor.field('Email address').inputValue(), ada.email)
    })
  })

  it('opens the dialog of the browser at once for a passkey, and offers the other ways when it is closed', async () => {
    await visit(async (visitor) => {
      await declineDialogs(visitor.page)
      await reachStep(visitor, ['passkey', 'totp'], challenge)
      await visitor.enter(ada)
      await visitor.page.getByRole('alert').getByText('No passkey was used').waitFor()
      await visitor.press('Use the authenticator app')
      assert.equal(await focused(visitor.page), 'input Code from your authenticator app')
      await visitor.press('Use a passkey')
      assert.match(await focused(visitor.page), /^button/)
    })
  })

  it('sends the trust that was given while the dialog for a passkey was open', async () => {
    await visit(async (visitor) => {
      const { page } = visitor
      await page.addInitScript(() => {
        const answer = { toJSON: () => ({ id: 'x' }) }
        const touched = new Promise((resolve) => addEventListener('touched', resolve))
        const get = async (options?: { mediation?: string }) =>
          options?.mediation === 'conditional' ? new Promise<never>(() => {}) : touched.then(() => answer)
        Object.assign(navigator.credentials, { get })
      })
      await reachStep(visitor, ['passkey'], challenge)
      const sent = await scriptStep(page, problem(403, 'wrong_second_factor'))
      await visitor.enter(ada)
      await visitor.field('Do not ask again on this device for 30 days').check()
      await page.evaluate(() => dispatchEvent(new Event('touched')))
      await page.getByRole('alert').getByText('not accepted').waitFor()
      assert.equal(sent[0]?.['trust_device'], true)
    })
  })

  it('is asked for after an activation as well, whose link stays', async () => {
    await visit(async (visitor) => {
      const { page } = visitor
      const more = { factor_token: 't', factors: ['totp'], passkey: null, expires_in: 300 }
      await page.route('**/auth/activate', (route) => route.fulfill(problem(403, 'second_factor_required', more)))
      await scriptStep(page, problem(401, 'invalid_factor_token'))
      await visitor.goto('/activate#token=x.y.z')
      await visitor.fill('Password', ada.password)
      await visitor.press('Activate account')
      await visitor.fill('Code from your authenticator app', '123456')
      await visitor.press('Continue')
      await visitor.sees('That took too long')
      await visitor.field('Password').waitFor()
    })
  })

  for (const colors of [
    { colorScheme: 'light' },
    { colorScheme: 'dark' },
    { forcedColors: 'active', locale: 'de' },
  ] as const) {
    it(`is accessible and fits 320 px: ${JSON.stringify(colors)}`, async () => {
      await visit(
        async (visitor) => {
          const { page } = visitor
          await reachStep(visitor, ['passkey', 'totp', 'recovery_code'], challenge)
          await page.locator('input[name=email]').fill(ada.email)
          await page.locator('input[name=password]').fill(ada.password)
          await page.keyboard.press('Enter')
          for (let way = 0; way < 3; way++) {
            await page.locator('.ways').waitFor()
            assert.deepEqual(await accessibilityFaults(page), [])
            await assertNoSidewaysScroll(page)
            const outside = await page.evaluate(() => {
              const { right } = document.querySelector('.card')!.getBoundingClientRect()
              const inside = [...document.querySelectorAll('.card *')]
              return inside.filter((element) => element.getBoundingClientRect().right > right - 15).length
            })
            assert.equal(outside, 0)
            await page
              .locator('.ways button')
              .nth(way === 0 ? 0 : 1)
              .click()
          }
        },
        { viewport: { width: 320, height: 640 }, ...colors },
      )
    })
  }
})

describe('the offer of a passkey', { timeout: 300_000 }, () => {
  const service = runService()
  const { visit } = service

  /** Has no factor, and gets a passkey. */
  async function scriptFactors(page: Page, factors: object = { passkeys: [], totp: null, recovery_codes: 0 }) {
    await page.route('**/users/me/factors', (route) => route.fulfill({ json: factors }))
    const public_key = {
      challenge: 'AQEBAQEBAQEBAQEBAQEBAQ',
      rp: { id: 'localhost', name: 'Postern' },
      user: { id: 'AAAA', name: ada.email, displayName: ada.email },
      pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: 'public-key', alg })),
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
    }
    await page.route('**/users/me/passkeys/options', (route) =>
      route.fulfill({ json: { challenge_token: 'c', public_key } }),
    )
    const added: unknown[] = []
    await page.route('**/users/me/passkeys', (route) => {
      added.push(route.request().postDataJSON())
      return route.fulfill({ status: 201, json: { id: 'x', name: 'Phone', recovery_codes: codes } })
    })
    return added
  }

  it('asks the browser for none before the press, even where it could make one unasked', async () => {
    await visit(async (visitor) => {
      const { page } = visitor
      await VirtualAuthenticator.add(page)
      // Such a browser may not verify the user, and the service refuses what it makes (WebAuthn Level 3 §5.1.3).
      await page.addInitScript(() => {
        const can = { conditionalCreate: true, userVerifyingPlatformAuthenticator: true }
        Object.assign(PublicKeyCredential, { getClientCapabilities: async () => can })
        const create = async () => {
          Object.assign(globalThis, { wasAsked: true })
          throw new DOMException('x', 'NotAllowedError')
        }
        Object.assign(navigator.credentials, { create })
      })
      await scriptFactors(page)
      await visitor.goto('/sign-in')
      await visitor.enter(ada)
      await visitor.seesHeading('Sign in faster next time')
      assert.equal(await page.evaluate(() => 'wasAsked' in globalThis), false)
    })
  })

  it('comes once after a password, and is never repeated by itself', async () => {
    await visit(async (visitor) => {
      const { page } = visitor
      await VirtualAuthenticator.add(page)
      const added = await scriptFactors(page)
      await visitor.goto('/sign-in')
      await visitor.enter(ada)
      await visitor.seesHeading('Sign in faster next time')
      assert.equal(await focused(page), 'h1 Sign in faster next time')
      assert.deepEqual(await accessibilityFaults(page), [])
      await visitor.press('Not now')
      await page.waitForURL('**/account')
      await visitor.press('Sign out')
      await visitor.isLedToSignIn()
      await visitor.enter(ada)
      await page.waitForURL('**/account')
      assert.deepEqual(added, [])
    })
  })

  it('makes one with a press, and shows the recovery codes of a first factor to copy, keep and print', async () => {
    await visit(async (visitor, context) => {
      await context.grantPermissions(['clipboard-read', 'clipboard-write'])
      const { page } = visitor
      const authenticator = await VirtualAuthenticator.add(page)
      const added = await scriptFactors(page)
      await visitor.goto('/sign-in')
      await visitor.enter(ada)
      await visitor.press('Create a passkey')
      await visitor.seesHeading('You have a passkey now')
      for (const code of codes) await visitor.sees(code)
      assert.equal(added.length, 1)
      assert.equal(await authenticator.passkeys(), 1)
      await visitor.press('Copy')
      await page.getByRole('status').filter({ hasText: 'Copied.' }).waitFor()
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `${codes.join('\n')}\n`)
      const download = page.waitForEvent('download')
      await visitor.press('Download')
      const file = readFileSync(await (await download).path(), 'utf8')
      for (const code of codes) assert.ok(file.includes(code))
      await page.emulateMedia({ media: 'print' })
      for (const code of codes) await visitor.sees(code)
      for (const name of ['Copy', 'Print', 'I have saved them'])
        assert.equal(await visitor.button(name).isVisible(), false)
      assert.equal(await page.getByRole('combobox').isVisible(), false)
      await page.emulateMedia({ media: 'screen' })
      await page.setViewportSize({ width: 320, height: 800 })
      await assertNoSidewaysScroll(page)
      assert.deepEqual(await accessibilityFaults(page), [])
      await visitor.press('I have saved them')
      await page.waitForURL('**/account')
    })
  })

  it('says what went wrong when the person closes the dialog, and stays', async () => {
    await visit(async (visitor) => {
      const { page } = visitor
      await VirtualAuthenticator.add(page)
      await declineDialogs(page)
      await scriptFactors(page)
      await visitor.goto('/sign-in')
      await visitor.enter(ada)
      await visitor.press('Create a passkey')
      await page.getByRole('alert').getByText('No passkey was used').waitFor()
      await visitor.press('Not now')
      await page.waitForURL('**/account')
    })
  })

  it('does not come where there is a passkey, or no place for one', async () => {
    await visit(async (visitor) => {
      await VirtualAuthenticator.add(visitor.page)
      await scriptFactors(visitor.page, { passkeys: [{ id: 'x' }], totp: null, recovery_codes: 8 })
      await visitor.signIn(ada)
    })
    await visit(async (visitor) => {
      await scriptFactors(visitor.page)
      await visitor.signIn(ada)
    })
  })
})

describe('the sign-in page', { timeout: 300_000 }, () => {
  const { visit } = runService()

  it('leads an account that must have a second factor to where it gets one', async () => {
    await visit(async (visitor) => {
      const { page } = visitor
      await page.route('**/users/me/sessions', (route) => route.fulfill(problem(403, 'factor_enrolment_required')))
      await visitor.goto('/sign-in?return_to=/console')
      await visitor.enter(ada)
      await page.waitForURL('**/account?view=security')
    })
  })

  it('takes the typed address along to the page that resets a password, and not to the server', async () => {
    await visit(async (visitor) => {
      const { page } = visitor
      const urls: string[] = []
      page.on('request', (request) => urls.push(request.url()))
      await visitor.goto('/sign-in')
      await visitor.fill('Email address', 'grace+x@example.com')
      await visitor.link('Forgot your password?').click()
      await visitor.seesHeading('Forgot your password?')
      assert.equal(await visitor.field('Email address').inputValue(), 'grace+x@example.com')
      assert.equal(await focused(page), 'input Email address')
      assert.equal(new URL(page.url()).hash, '')
      assert.doesNotMatch(urls.join(), /grace/)
    })
  })
})
