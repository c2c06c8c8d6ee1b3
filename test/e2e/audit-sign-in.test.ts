/** `npm run audit` signs in with a password and, where the account asks for it, a code. The service is scripted. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { audit } from '../../tools/audit/command.ts'
import { Stop } from '../../tools/command.ts'

interface Answer {
  status: number
  body?: object
}

const tokens = { access_token: 'a', refresh_token: 'r' }
const askedFor = (...factors: string[]): Answer => ({
  status: 403,
  body: { code: 'second_factor_required', detail: 'The password is right.', factor_token: 'f', factors },
})

/** @param typed the answers of the person at the terminal, one for each question; without it nobody can answer */
async function signIn(
  answers: Record<string, Answer>,
  { env = {}, typed }: { env?: Record<string, string>; typed?: string[] } = {},
) {
  const sent: [path: string, body: object][] = []
  const asked: string[] = []
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url!.replace(/\?.*/, '')
    const body = await text(request)
    if (body) sent.push([path, JSON.parse(body) as object])
    const { status, body: answer } = { ...signedIn, ...answers }[path] ?? { status: 404 }
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(answer && JSON.stringify(answer))
  }
  const server = createServer((request, response) => void respond(request, response))
  await once(server.listen(0, 'localhost'), 'listening')
  const url = `http://localhost:${(server.address() as AddressInfo).port}`
  const answerNext = async (question: string) => {
    asked.push(question)
    return typed?.shift() ?? ''
  }
  try {
    await audit([], {
      env: { POSTERN_URL: url, POSTERN_EMAIL: 'ada@example.com', POSTERN_PASSWORD: 'p', ...env },
      asker: typed ? { text: answerNext, secret: answerNext } : null,
      print: () => {},
      say: () => {},
    })
    return { sent, asked, stop: undefined }
  } catch (error) {
    assert.ok(error instanceof Stop, String(error))
    return { sent, asked, stop: error.message.replaceAll(url, 'URL') }
  } finally {
    server.close()
  }
}

const signedIn: Record<string, Answer> = {
  '/auth/login': { status: 200, body: tokens },
  '/auth/second-factor': { status: 200, body: tokens },
  '/audit-archive': { status: 200, body: { objects: [], next_cursor: null } },
  '/auth/logout': { status: 204 },
}
const login = ['/auth/login', { email: 'ada@example.com', password: 'p' }]
const logout = ['/auth/logout', { refresh_token: 'r' }]
const recoveryCode = '7GQ2-M4ZX-9KTB-0DWR-5HVC-8JNE'

test('an account without a second factor is asked for no code', async () => {
  const { sent, asked, stop } = await signIn({}, { env: { POSTERN_CODE: '492039' }, typed: [] })
  assert.deepEqual({ sent, asked, stop }, { sent: [login, logout], asked: [], stop: undefined })
})

test('a code of the app and a recovery code complete the sign-in, typed or from POSTERN_CODE', async () => {
  for (const [code, proof] of [
    ['492 039', { totp: '492 039' }],
    ['492039', { totp: '492039' }],
    [recoveryCode, { recovery_code: recoveryCode }],
    // Wrong as either kind: the service refuses it.
    ['49203', { recovery_code: '49203' }],
  ] as const) {
    const sent = [login, ['/auth/second-factor', { factor_token: 'f', ...proof }], logout]
    const answers = { '/auth/login': askedFor('passkey', 'totp', 'recovery_code') }
    const typed = await signIn(answers, { typed: [code] })
    const question = 'A code of the authenticator app or a recovery code (not shown): '
    assert.deepEqual(typed, { sent, asked: [question], stop: undefined })
    const given = await signIn(answers, { env: { POSTERN_CODE: code } })
    assert.deepEqual(given, { sent, asked: [], stop: undefined })
  }
})

test('a token that is refused again after a refresh ends the command', async () => {
  const refused = { status: 401, body: { code: 'invalid_token', detail: 'It ended.' } }
  const { sent, stop } = await signIn({ '/audit-archive': refused, '/auth/refresh': { status: 200, body: tokens } })
  assert.deepEqual(sent, [login, ['/auth/refresh', { refresh_token: 'r' }], logout])
  assert.equal(stop, 'GET /audit-archive?limit=100 answered 401 invalid_token: It ended.')
})

test('the question names what the account has', async () => {
  for (const [factors, question] of [
    [['totp'], 'A code of the authenticator app (not shown): '],
    [['passkey', 'recovery_code'], 'A recovery code (not shown): '],
  ] as const) {
    const { asked } = await signIn({ '/auth/login': askedFor(...factors) }, { typed: [recoveryCode] })
    assert.deepEqual(asked, [question])
  }
})

test('without a terminal and a code, the command says what to set, and tries nothing', async () => {
  const { sent, stop } = await signIn({ '/auth/login': askedFor('totp') })
  assert.deepEqual(sent, [login])
  assert.equal(stop, 'Set POSTERN_CODE to a code of the authenticator app, or run this in a terminal.')
})

test('an account that has a passkey alone is told what to add, and where', async () => {
  const { sent, asked, stop } = await signIn({ '/auth/login': askedFor('passkey') }, { typed: [recoveryCode] })
  assert.deepEqual([sent, asked], [[login], []])
  assert.equal(
    stop,
    'This account has a passkey alone, which only a browser can use. Add an authenticator app or make new recovery codes at URL/account.',
  )
})

test('a refused code ends the command, which says what the account takes', async () => {
  const { sent, stop } = await signIn(
    {
      '/auth/login': askedFor('passkey', 'recovery_code'),
      '/auth/second-factor': { status: 403, body: { code: 'wrong_second_factor' } },
    },
    { env: { POSTERN_CODE: '492039' } },
  )
  assert.equal(sent.length, 2)
  assert.equal(stop, 'The code was refused. This account takes a recovery code, and each code only once.')
})

test('the command does not wait when there were too many codes', async () => {
  const { stop } = await signIn(
    {
      '/auth/login': askedFor('totp'),
      '/auth/second-factor': { status: 429, body: { code: 'rate_limited', detail: 'Wait before the next try.' } },
    },
    { env: { POSTERN_CODE: '492039' } },
  )
  assert.equal(stop, 'POST /auth/second-factor answered 429 rate_limited: Wait before the next try.')
})

test('who must have a second factor and has none is told where to add it, and is signed out', async () => {
  const { sent, stop } = await signIn({
    '/audit-archive': { status: 403, body: { code: 'factor_enrolment_required' } },
  })
  assert.equal(stop, 'This account must have a second factor. Add one at URL/account, then run this again.')
  assert.deepEqual(sent, [login, logout])
})
