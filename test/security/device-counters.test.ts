/** The counters of known devices: bounded for an account, and none that a stranger can make or use up. */
import { describe, expect } from 'vitest'
import { maxDeviceCounters, passwordAttempts } from '../../src/config/policy.ts'
import type { Caller } from '../support/caller.ts'
import { it } from '../support/fixtures.ts'
import { goodPassword, otherPassword } from '../support/person.ts'
import { setAttempts } from '../support/rows.ts'
import { rowsOf } from '../support/state.ts'

const email = 'ada@example.com'
const right = { email, password: goodPassword }
const wrong = { email, password: 'a wrong password' }

async function newDevice(caller: Caller): Promise<string> {
  return (await caller.login(right)).device_token
}

const countersOfDevices = () => rowsOf('attempt_counters', "key like 'device:%'")

/** Makes devices and lets each try a wrong password. */
async function mistype(anonymous: Caller, count: number): Promise<string[]> {
  const tokens: string[] = []
  for (let n = 0; n < count; n++) {
    // The right password ends the series of the account, too.
    const device_token = await newDevice(anonymous)
    tokens.push(device_token)
    await anonymous.login({ ...wrong, device_token }).refused(401, 'invalid_credentials')
  }
  return tokens
}

describe('the counters of devices', () => {
  it('are twenty at most for an account; further devices share that of the account', async ({
    anonymous,
    ada: _ada,
  }) => {
    const tokens = await mistype(anonymous, 30)
    expect(await countersOfDevices()).toHaveLength(maxDeviceCounters)
    expect(await rowsOf('attempt_counters')).toHaveLength(maxDeviceCounters + 1)
    await setAttempts(email, passwordAttempts.max)
    const answers = []
    for (const device_token of tokens) answers.push((await anonymous.login({ ...wrong, device_token }).answer).status)
    expect(answers.filter((status) => status === 401)).toHaveLength(maxDeviceCounters)
    expect(answers.filter((status) => status === 429)).toHaveLength(30 - maxDeviceCounters)
  })

  it('are no more when thirty devices try at the same moment', async ({ anonymous, ada: _ada }) => {
    const tokens: string[] = []
    for (let n = 0; n < 30; n++) tokens.push(await newDevice(anonymous))
    await Promise.all(tokens.map((device_token) => anonymous.login({ ...wrong, device_token }).answer))
    expect(await countersOfDevices()).toHaveLength(maxDeviceCounters)
  })

  it('keep no device from signing in, and end with the right password', async ({ anonymous, ada: _ada }) => {
    const tokens = await mistype(anonymous, maxDeviceCounters)
    for (const device_token of tokens) await anonymous.login({ ...right, device_token })
    expect(await countersOfDevices()).toEqual([])
    // There is room for others again.
    await mistype(anonymous, 1)
    expect(await countersOfDevices()).toHaveLength(1)
  })

  it('are not made by a stranger, who cannot lock a known device out', async ({ people, anonymous, ada }) => {
    const device_token = await newDevice(ada)
    const bob = await people.signUp('bob@example.com')
    const foreign = (await bob.login({ email: bob.email, password: goodPassword })).device_token
    for (let n = 0; n < 30; n++) {
      await anonymous.login({ ...wrong, device_token: n % 2 === 0 ? foreign : `made-up-${n}` }).answer
    }
    expect(await countersOfDevices()).toEqual([])
    await setAttempts(email, passwordAttempts.max)
    await anonymous.login(right).refused(429, 'rate_limited')
    await anonymous.login({ ...right, device_token })
  })

  it('end with the password, so that who knew the old one takes none from the owner', async ({ anonymous, ada }) => {
    await mistype(anonymous, 30)
    const owner = await ada.signIn()
    await owner.changePassword({ old_password: goodPassword, new_password: otherPassword })
    expect(await rowsOf('attempt_counters')).toEqual([])
    const { device_token } = await anonymous.login({ email, password: otherPassword })
    await setAttempts(email, passwordAttempts.max)
    await anonymous.login({ email, password: otherPassword, device_token })
  })
})
