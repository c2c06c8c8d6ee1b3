/** The people and things that every example is about, so that one can follow them through the document. */
import { base64url } from 'jose'
import type { AnswerExample } from './answers.ts'

export const ids = {
  ada: '01a2048f-08e0-7a41-9c55-2f8d6e01b7aa',
  grace: '01a16a10-40e0-7b0c-8f6e-6b1d94c7a213',
  session: '01a2048f-10b0-7c19-8e2b-51d90cc3f4e6',
  device: '6c8de2f5-2b8e-4d57-9f0b-7a1f0c2b9e11',
  otherSession: '01a16a10-40e0-7e52-a0d4-93c1f27be805',
  link: '01a2048f-08e0-7f08-b1de-7a90c2d4e815',
  event: '01a209b5-64e0-7d52-a6a0-39f4e7c05b21',
}

export const requestId = 'b3f1c0de-5a6b-4c7d-8e9f-0a1b2c3d4e5f'

const issuer = 'https://accounts.example.com'
const iat = 1795372812

export const tokens = {
  access: jwt(
    { alg: 'EdDSA', typ: 'at+jwt', kid: '2026-11' },
    {
      client_id: 'postern',
      sub: ids.ada,
      sid: ids.session,
      jti: '5a0f4d3e-8a54-4b0e-9d0c-0c6a2c8f1b77',
      role: 'USER',
      scope: '',
      iss: issuer,
      aud: 'postern',
      iat,
      exp: iat + 600,
    },
  ),
  refresh: internalToken('rt+jwt', { sid: ids.session, gen: 1 }, 2_592_000),
  device: internalToken(
    'device+jwt',
    { jti: ids.device, email_sha256: 'nVfZRqd2yRDBsGzfFH9cyK0gX-2ZkVFvYzJgbAhzKHI' },
    15_552_000,
  ),
  activation: internalToken('activation+jwt', { jti: ids.link }, 86_400),
  reset: internalToken('reset+jwt', { jti: ids.link }, 3600),
}

export const ada: AnswerExample<'User'> = {
  id: ids.ada,
  email: 'ada@example.com',
  role: 'USER',
  status: 'active',
  first_name: 'Ada',
  last_name: 'Lovelace',
  avatar_url: 'https://images.example.com/ada.png',
  bio: 'Notes on engines.',
  locale: 'en-GB',
  created_at: '2026-11-22T18:40:12.512Z',
  updated_at: '2026-11-22T18:52:40.031Z',
  activated_at: '2026-11-22T18:41:03.870Z',
  last_login_at: '2026-11-22T18:41:03.870Z',
}

export const administeredAda: AnswerExample<'AdministeredUser'> = { ...ada, email_deliverable: true }

/** As activation leaves her: with what she registered with, and nothing else. */
export const newAda: AnswerExample<'User'> = {
  ...ada,
  avatar_url: null,
  bio: null,
  updated_at: '2026-11-22T18:41:03.870Z',
}

export const tokenAnswer: AnswerExample<'TokenAnswer'> = {
  access_token: tokens.access,
  token_type: 'Bearer',
  expires_in: 600,
  refresh_token: tokens.refresh,
  refresh_expires_in: 2_592_000,
  user: newAda,
}

export const signInAnswer: AnswerExample<'SignInAnswer'> = { ...tokenAnswer, device_token: tokens.device }

export const session: AnswerExample<'Session'> = {
  id: ids.session,
  created_at: '2026-11-22T18:41:03.870Z',
  last_used_at: '2026-11-22T18:41:03.870Z',
  expires_at: '2026-12-22T18:41:03.870Z',
  ip: '203.0.113.7',
  country: 'GB',
  user_agent: 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0',
  current: true,
}

export const otherSession = {
  ...session,
  id: ids.otherSession,
  created_at: '2026-11-22T18:45:00.114Z',
  last_used_at: '2026-11-22T19:05:31.990Z',
  expires_at: '2026-12-22T19:05:31.990Z',
  ip: '2001:db8::51',
  user_agent: 'AdasNotebook/2.1 (iPadOS)',
  current: false,
}

export const suspension: AnswerExample<'AuditEvent'> = {
  id: ids.event,
  at: '2026-11-23T18:40:12.512Z',
  type: 'user.suspended',
  actor_id: ids.grace,
  user_id: ids.ada,
  ip: '2001:db8::7',
  country: 'US',
  user_agent: 'curl/8.16.0',
  request_id: requestId,
  detail: { reason: 'Sent spam to other members.' },
}

export const activity: AnswerExample<'Activity'> = {
  id: ids.link,
  at: '2026-11-22T18:41:03.870Z',
  type: 'user.activated',
  actor: 'you',
  ip: '203.0.113.7',
  country: 'GB',
  user_agent: 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0',
  request_id: requestId,
  detail: { session_id: ids.session },
}

export const suspensionSeen: AnswerExample<'Activity'> = {
  id: ids.event,
  at: '2026-11-23T18:40:12.512Z',
  type: 'user.suspended',
  actor: 'administrator',
  ip: null,
  country: null,
  user_agent: null,
  request_id: null,
  detail: { reason: 'Sent spam to other members.' },
}

export const deliveredMail: AnswerExample<'OutboxEmail'> = {
  id: ids.link,
  template: 'registration',
  user_id: ids.ada,
  recipient: 'ada@example.com',
  status: 'sent',
  attempts: 1,
  provider_id: '49a3999c-0ce1-4ea6-ab68-afcd6dc2e794',
  fate: 'delivered',
  last_error: null,
  created_at: '2026-11-22T18:40:12.512Z',
  due_at: null,
  finished_at: '2026-11-22T18:40:13.901Z',
  delivered_at: '2026-11-22T18:40:16.220Z',
}

/** Where the next page begins, as a cursor tells it. */
export function cursorAt(position: string): string {
  return base64url.encode(position)
}

function internalToken(typ: string, claims: object, seconds: number): string {
  const times = { iat, exp: iat + seconds }
  return jwt({ alg: 'HS256', typ, kid: '2026-11' }, { ...claims, iss: issuer, aud: issuer, ...times })
}

/** Looks like a JWT, but nobody signed it. */
function jwt(header: object, claims: object): string {
  return [JSON.stringify(header), JSON.stringify(claims), 'not a signature, only an example'].map(encode).join('.')
}

function encode(text: string): string {
  return base64url.encode(text)
}
