import { describe, expect, it } from 'vitest'
import { mailsTo, newestMail, register, signUp, tokenIn } from '../support/people.ts'
import { startService } from '../support/service.ts'

describe('registration', () => {
  it('leads by mail and password to a signed-in user', async () => {
    const service = startService()
    const { accessToken } = await signUp(service, 'ada@example.com')
    const me = await service.call('GET', '/users/me', { token: accessToken })
    expect(me.status).toBe(200)
    expect(me.json).toMatchObject({ email: 'ada@example.com', role: 'USER', status: 'active' })
  })
})
