/** Our requests to Resend, compared with those of its SDK. What the answers mean is in test/jobs/mail.test.ts. */
import { Resend } from 'resend'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Config, Secrets } from '../../src/config/settings.ts'
import { type OutgoingEmail, sendEmail, sendEmails } from '../../src/providers/resend.ts'

const baseUrl = 'https://resend.test'
const apiKey = 're_Test_123'
const config = { resendBaseUrl: baseUrl, mailFrom: 'Pöstern <accounts@example.com>' } as Config
const secrets = { resendApiKey: apiKey } as Secrets

const plain: OutgoingEmail = {
  id: '019a9d5e-0000-7000-8000-000000000001',
  to: 'ada@example.com',
  subject: 'Confirm your address',
  html: '<p>Follow <a href="https://accounts.example.com/activate#token=e30.e30.x">the link</a></p>',
  text: 'https://accounts.example.com/activate#token=e30.e30.x',
}
const emails: Record<string, OutgoingEmail> = {
  'a plain one': plain,
  'one in many scripts': {
    ...plain,
    to: 'müller@bücher.example',
    subject: 'Grüße 你好 👩🏽‍🚀 שלום',
    text: 'é \u2028\u{1F600}',
  },
  'one with lone surrogates and control characters': { ...plain, subject: 'a\uD800b', text: 'a\u0000\t"\\\r\n\u007F' },
  'an empty one': { ...plain, subject: '', html: '', text: '' },
  'a long one': { ...plain, html: '<p>line</p>\r\n'.repeat(5000) },
}

let requests: Request[]

beforeEach(() => {
  requests = []
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    requests.push(new Request(input, init))
    return Response.json({ id: 're-1', data: [] })
  })
})
afterEach(() => void vi.restoreAllMocks())

/** The email as a caller of the SDK writes it. */
const forSdk = ({ id, ...email }: OutgoingEmail) => ({
  from: config.mailFrom,
  ...email,
  headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All', 'X-Entity-Ref-ID': id },
  tags: [{ name: 'outbox_id', value: id }],
})

/** All of a request except the name of the program that sends it. */
async function readRequests() {
  return Promise.all(
    requests.map(async (request) => {
      const { method, url, headers } = request
      const { 'user-agent': userAgent, ...others } = Object.fromEntries(headers)
      const body = new Uint8Array(await request.arrayBuffer())
      return { method, url, headers: others, hasUserAgent: !!userAgent, body }
    }),
  )
}

it.each(Object.entries(emails))('%s is sent as the SDK sends it, byte by byte', async (_, email) => {
  await new Resend(apiKey, { baseUrl }).emails.send(forSdk(email), { idempotencyKey: `email/${email.id}` })
  expect(await sendEmail(config, secrets, email, `email/${email.id}`)).toEqual({ kind: 'accepted', providerId: 're-1' })
  const [sdk, ours] = await readRequests()
  expect(sdk).toMatchObject({ method: 'POST', url: `${baseUrl}/emails`, hasUserAgent: true })
  expect(ours).toEqual(sdk)
})

it('a batch is sent as the SDK sends it, byte by byte', async () => {
  const batch = Object.values(emails)
  const options = { idempotencyKey: 'batch/1', batchValidation: 'permissive' } as const
  await new Resend(apiKey, { baseUrl }).batch.send(batch.map(forSdk), options)
  await sendEmails(config, secrets, batch, options.idempotencyKey)
  const [sdk, ours] = await readRequests()
  expect(sdk).toMatchObject({ method: 'POST', url: `${baseUrl}/emails/batch`, hasUserAgent: true })
  expect(ours).toEqual(sdk)
})
