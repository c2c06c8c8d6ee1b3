/**
 * CPU of one operation besides the password hash: the stores answer from memory and the hash is one iteration, so the
 * time that passes is ours. Where a password is set, zxcvbn's judgement is in it; its own row tells how much that is.
 * Prints milliseconds.
 */
import { env } from 'cloudflare:workers'
import { it, vi } from 'vitest'
import { judgeStrength } from '../../src/crypto/strength.ts'
import { goodPassword, otherPassword } from '../support/person.ts'
import { peopleOf } from '../support/population.ts'
import { type Call, startService } from '../support/service.ts'
import { recordStores } from './replay.ts'

/** The clock of the runtime ticks in milliseconds, so a figure is the mean of a run of calls. */
const runs = 50
const chunks = 20

it('measures the CPU of each operation', async () => {
  vi.spyOn(console, 'info').mockImplementation(() => undefined)
  const work = { rounds: 1, iterations: 1 }
  const plain = startService({ platform: { work } })
  const stores = recordStores(env)
  const replayed = startService({ env: stores.bindings, platform: { work }, beside: plain })
  const people = peopleOf(plain)
  const admin = await people.admin()
  const ada = await people.signUp('ada@example.com')

  const lines: string[] = []
  async function measure(name: string, method: string, path: string, call: Call): Promise<void> {
    stores.startRecording()
    const { status } = await replayed.answer(method, path, call)
    if (status >= 400) throw new Error(`${name}: ${status}`)
    stores.startReplaying()
    await time(name, async () => {
      stores.rewind()
      await replayed.answer(method, path, call)
    })
  }
  async function time(name: string, operation: () => Promise<unknown>): Promise<void> {
    const means: number[] = []
    for (let chunk = 0; chunk <= chunks; chunk++) {
      const start = performance.now()
      for (let run = 0; run < runs; run++) await operation()
      // The first is for warming up.
      if (chunk > 0) means.push((performance.now() - start) / runs)
    }
    means.sort((a, b) => a - b)
    lines.push(`${name.padEnd(16)} median ${means[chunks / 2]!.toFixed(2)}  slowest ${means.at(-1)!.toFixed(2)}`)
  }

  const email = 'ada@example.com'
  await time('zxcvbn alone', async () => judgeStrength(goodPassword, ['ada@example.com', 'postern']))
  await measure('verify', 'GET', '/auth/verify', { token: ada.accessToken })
  await measure('me', 'GET', '/users/me', { token: ada.accessToken })
  await measure('register', 'POST', '/auth/register', { body: { email: 'bob@example.com', password: goodPassword } })
  await measure('login', 'POST', '/auth/login', { body: { email, password: goodPassword } })
  await measure('refresh', 'POST', '/auth/refresh', { body: { refresh_token: ada.refreshToken } })
  await measure('logout', 'POST', '/auth/logout', {
    body: { refresh_token: (await ada.signIn()).refreshToken },
  })
  const token = await people.register('carla@example.com')
  await measure('activate', 'POST', '/auth/activate', { body: { token, password: goodPassword } })
  await measure('reset request', 'POST', '/auth/password-reset/request', { body: { email } })
  const change = { old_password: goodPassword, new_password: otherPassword }
  await measure('change password', 'POST', '/auth/change-password', { token: ada.accessToken, body: change })
  const reset = { token: await people.resetToken(email), new_password: goodPassword }
  await measure('reset complete', 'POST', '/auth/password-reset/complete', { body: reset })
  await measure('list of 20 users', 'GET', '/users', { token: admin.accessToken })
  const role = { role: 'MODERATOR' }
  await measure('assign role', 'PUT', `/users/${ada.id}/role`, { token: admin.accessToken, body: role })
  // oxlint-disable-next-line no-console -- this is what a benchmark is for
  console.log(lines.join('\n'))
})
