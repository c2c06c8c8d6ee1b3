/** A client that hangs up: the platform cancels everything but what somebody waits for. */
import { env } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import { createWorker } from '../../src/worker.ts'
import { cheapWork } from '../support/service.ts'
import { it } from '../support/fixtures.ts'
import { goodPassword } from '../support/person.ts'
import { rowsOf, write } from '../support/state.ts'

const email = 'ada@example.com'

/** Calls and hangs up at once. Returns when everything is done that the platform does not cancel then. */
async function hangUp(now: () => Date, path: string, body: object, token?: string): Promise<void> {
  const worker = createWorker({
    now,
    sleep: async () => undefined,
    letOthersRun: () => scheduler.wait(0),
    random: () => 0.5,
    work: cheapWork,
  })
  const kept: Promise<unknown>[] = []
  const execution = { waitUntil: (work: Promise<unknown>) => void kept.push(work) } as unknown as ExecutionContext
  const request = new Request(`https://accounts.example.com${path}`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'CF-Connecting-IP': '203.0.113.7',
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  })
  void worker.fetch(request as Parameters<typeof worker.fetch>[0], env, execution)
  while (kept.length > 0) await Promise.all(kept.splice(0))
}

async function attempts() {
  const { results } = await env.DB.prepare('select count, in_flight from attempt_counters').all()
  return results
}

describe('a client that hangs up', () => {
  it('does not keep a wrong password from being recorded, nor the owner from being warned', async ({ clock, ada }) => {
    await ada.login({ email, password: 'wrong' }).refused(401, 'invalid_credentials')
    await write('update attempt_counters set count = 9')
    await hangUp(clock.now, '/auth/login', { email, password: 'wrong again' })
    expect(await rowsOf('audit_events', "type = 'user.sign_in_refused'")).toMatchObject([
      { detail: JSON.stringify({ reason: 'wrong_password', count: 2 }) },
    ])
    expect(await rowsOf('emails', "template = 'sign_in_attempts'")).toHaveLength(1)
    expect(await attempts()).toEqual([{ count: 10, in_flight: 0 }])
  })

  it('does not keep a session that it ended off the revocation list', async ({ clock, ada }) => {
    await hangUp(clock.now, '/auth/logout', { refresh_token: ada.refreshToken })
    expect(await rowsOf('sessions')).toHaveLength(0)
    await ada.verify().refused(401, 'invalid_token')
  })

  it('leaves nothing half done after a right password', async ({ clock, ada: _ada }) => {
    await hangUp(clock.now, '/auth/login', { email, password: goodPassword })
    expect(await rowsOf('sessions')).toHaveLength(2)
    expect(await attempts()).toHaveLength(0)
  })
})
