/** What a session may do whose user must have a second factor and has not shown one in it (SECOND_FACTOR). */
import { decodeJwt } from 'jose'
import { beforeEach, describe, expect } from 'vitest'
import { isFreeCall } from '../../src/http/confinement.ts'
import { expectProblem } from '../support/answers.ts'
import { type ContractCall, calls } from '../support/calls.ts'
import { it as base } from '../support/fixtures.ts'
import { laggingD1 } from '../support/lagging-d1.ts'
import { captureLog } from '../support/log-lines.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import { peopleOf } from '../support/population.ts'
import { type Answer, startService } from '../support/service.ts'
import { takeImage } from '../support/store-image.ts'
import { giveFactor, proveIn, strengths } from '../support/strength.ts'

/** By the contract, said once more. `verify` and `listRoles` go by the token alone. */
const isFree = ({ method, path, protection }: ContractCall) =>
  protection !== 'bearer' ||
  path.startsWith('/auth/') ||
  (method === 'GET' && path === '/users/me') ||
  ['factors', 'passkeys', 'totp'].some((part) => `${path}/`.startsWith(`/users/me/${part}/`))

const confined = calls.filter((call) => !isFree(call))
const free = calls.filter((call) => call.protection === 'bearer' && isFree(call))

/** Everybody signs up where a factor is optional. Then the operator asks for one. */
const it = base
  .extend('staff', async ({ service }) => startService({ beside: service, env: { SECOND_FACTOR: 'staff' } }))
  .extend('all', async ({ service }) => startService({ beside: service, env: { SECOND_FACTOR: 'all' } }))

function send({ service, accessToken: token }: Person, { method, path, body }: ContractCall): Promise<Answer> {
  return service.call(method, path, { token, ...(body && { body }) })
}

const codeOf = ({ json }: Answer) => (json as { code?: string } | undefined)?.code

beforeEach(() => void captureLog())

describe('a session without the factor that its user must have', () => {
  it('may call nothing but the list of the contract', async ({ staff, admin }) => {
    const image = await takeImage()
    expect(confined.length).toBeGreaterThan(20)
    for (const call of confined) {
      const answer = await send(admin.at(staff), call)
      expect(codeOf(answer), call.operationId).toBe('factor_enrolment_required')
      expectProblem(answer, 403, 'factor_enrolment_required')
    }
    expect(await takeImage()).toEqual(image)
  })

  it('is asked for the factor where the account has one', async ({ staff, admin }) => {
    await giveFactor(admin)
    const image = await takeImage()
    for (const call of confined) {
      const answer = await send(admin.at(staff), call)
      expect(codeOf(answer), call.operationId).toBe('insufficient_user_authentication')
      expectProblem(answer, 401, 'insufficient_user_authentication')
      expect(answer.headers.get('WWW-Authenticate')).toBe(
        'Bearer error="insufficient_user_authentication", max_age="600", acr_values="urn:postern:2 phr"',
      )
    }
    expect(await takeImage()).toEqual(image)
  })

  it('may sign out, read its own account and change its password', async ({ staff, people, admin }) => {
    expect(free.length).toBeGreaterThan(2)
    for (const call of free) {
      const person = await people.signIn(admin.email)
      expect(codeOf(await send(person.at(staff), call)), call.operationId).not.toBe('factor_enrolment_required')
    }
    const person = (await people.signIn(admin.email)).at(staff)
    await person.me()
    expect((await staff.call('HEAD', '/users/me', { token: person.accessToken })).status).toBe(200)
    await person.changePassword({ old_password: goodPassword, new_password: otherPassword })
    await person.logoutAll()
  })

  it.for(['/users/me/', '/users/me/factorsx', '/users/me/..%2f', '/authx', '/users/me/totp%2f..%2fsessions'])(
    'may not call a path that only begins like a free one: %s',
    async (path, { staff, admin }) => {
      // Most of them have no route today, so the status alone would prove nothing.
      expect(isFreeCall('GET', path)).toBe(false)
      expect([403, 404]).toContain((await staff.call('GET', path, { token: admin.accessToken })).status)
    },
  )

  it('counts no wrong password in a call that it is refused', async ({ staff, people, admin, ada, all }) => {
    for (const [person, service] of [
      [admin, staff],
      [ada, all],
    ] as const) {
      for (let time = 0; time < 120; time++) {
        await person.at(service).deleteMe(otherPassword).refused(403, 'factor_enrolment_required')
      }
      await people.signIn(person.email)
    }
  })
})

describe('who must have a factor', () => {
  const rows = [
    { rule: 'optional', USER: false, MODERATOR: false, ADMIN: false },
    { rule: 'staff', USER: false, MODERATOR: true, ADMIN: true },
    { rule: 'all', USER: true, MODERATOR: true, ADMIN: true },
    { rule: '', USER: false, MODERATOR: false, ADMIN: false },
  ]

  it.for(rows)(
    'is decided by SECOND_FACTOR=$rule and the role',
    async ({ rule, ...isConfined }, { service, admin, moderator, ada }) => {
      const asked = startService({ beside: service, env: { SECOND_FACTOR: rule } })
      for (const [role, person] of Object.entries({ USER: ada, MODERATOR: moderator, ADMIN: admin })) {
        const { status } = await person.at(asked).sessions().answer
        expect(status, role).toBe(isConfined[role as 'USER'] ? 403 : 200)
        await proveIn(person, strengths.code)
        await person.at(asked).sessions()
      }
    },
  )
})

describe('the tokens of such a session', () => {
  it('say USER and no scope until a factor is shown', async ({ staff, admin }) => {
    const bare = await admin.at(staff).renewed()
    expect(decodeJwt(bare.accessToken)).toMatchObject({ role: 'USER', scope: '', acr: 'urn:postern:1' })
    await proveIn(admin, strengths.passkey)
    const strong = await bare.renewed()
    expect(decodeJwt(strong.accessToken)).toMatchObject({ role: 'ADMIN', acr: 'phr' })
    expect(decodeJwt(strong.accessToken)['scope']).toMatch(/\S/)
  })

  it('pass as a USER at the edge, also when they were issued before a factor was asked for', async ({
    staff,
    admin,
  }) => {
    for (const person of [admin, await admin.at(staff).renewed()]) {
      const { headers } = await person.at(staff).verify().answer
      expect(headers.get('X-Auth-Role')).toBe('USER')
      expect(headers.get('X-Auth-Scope')).toBe('')
    }
    await proveIn(admin, strengths.code)
    const { headers } = await (await admin.at(staff).renewed()).verify().answer
    expect(headers.get('X-Auth-Role')).toBe('ADMIN')
    expect(headers.get('X-Auth-Acr')).toBe('urn:postern:2')
  })
})

it('a session is free at once after a step-up, although the nearest replica has not heard of it', async () => {
  const { binding } = laggingD1()
  const env = { DB: binding, READ_REPLICAS: 'true' }
  const service = startService({ env })
  const admin = await peopleOf(service).admin()
  const staff = startService({ env: { ...env, SECOND_FACTOR: 'staff' }, beside: service })
  const person = await admin.at(staff).renewed()
  await person.sessions().refused(403, 'factor_enrolment_required')
  await proveIn(person, strengths.code)
  await person.sessions()
})
