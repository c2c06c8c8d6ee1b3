/** Every call of the contract, for what is true of all of them. */
export interface ContractCall {
  method: string
  path: string
  /** `bearer` reads session and user from the database, `edge` goes by the token and the revocation list. */
  protection: 'none' | 'bearer' | 'edge'
  /** Text fields of its JSON body, with values that fit. */
  body?: Record<string, string>
}

const id = '01936f6e-0000-7000-8000-000000000000'
const email = 'ada@example.com'
const password = 'nine quiet lanterns drift'
const token = 'eyJhbGciOiJIUzI1NiJ9.e30.x'
const profile = { first_name: 'Ada', last_name: 'Lovelace', avatar_url: 'https://a.example/x.png', bio: 'Hello' }

export const calls: ContractCall[] = [
  {
    method: 'POST',
    path: '/auth/register',
    protection: 'none',
    body: { email, password, first_name: 'Ada', last_name: 'Lovelace', locale: 'en' },
  },
  { method: 'POST', path: '/auth/activate', protection: 'none', body: { token, password } },
  { method: 'POST', path: '/auth/resend-activation', protection: 'none', body: { email } },
  { method: 'POST', path: '/auth/login', protection: 'none', body: { email, password } },
  { method: 'POST', path: '/auth/refresh', protection: 'none', body: { refresh_token: token } },
  { method: 'POST', path: '/auth/logout', protection: 'none', body: { refresh_token: token } },
  { method: 'POST', path: '/auth/logout-all', protection: 'bearer' },
  {
    method: 'POST',
    path: '/auth/change-password',
    protection: 'bearer',
    body: { old_password: password, new_password: password },
  },
  { method: 'POST', path: '/auth/password-reset/request', protection: 'none', body: { email } },
  {
    method: 'POST',
    path: '/auth/password-reset/complete',
    protection: 'none',
    body: { token, new_password: password },
  },
  { method: 'GET', path: '/auth/verify', protection: 'edge' },
  { method: 'GET', path: '/users/me', protection: 'bearer' },
  { method: 'PATCH', path: '/users/me', protection: 'bearer', body: { ...profile, locale: 'en' } },
  { method: 'DELETE', path: '/users/me', protection: 'bearer', body: { password } },
  { method: 'GET', path: '/users/me/sessions', protection: 'bearer' },
  { method: 'DELETE', path: `/users/me/sessions/${id}`, protection: 'bearer' },
  { method: 'DELETE', path: '/users/me/sessions', protection: 'bearer' },
  { method: 'GET', path: '/users', protection: 'bearer' },
  { method: 'GET', path: `/users/${id}`, protection: 'bearer' },
  { method: 'PATCH', path: `/users/${id}/profile`, protection: 'bearer', body: profile },
  { method: 'POST', path: `/users/${id}/activate`, protection: 'bearer' },
  { method: 'PUT', path: `/users/${id}/role`, protection: 'bearer', body: { role: 'USER' } },
  { method: 'POST', path: `/users/${id}/suspend`, protection: 'bearer', body: { reason: 'spam' } },
  { method: 'POST', path: `/users/${id}/reinstate`, protection: 'bearer' },
  { method: 'GET', path: `/users/${id}/sessions`, protection: 'bearer' },
  { method: 'DELETE', path: `/users/${id}/sessions`, protection: 'bearer' },
  { method: 'DELETE', path: `/users/${id}/email-suppression`, protection: 'bearer' },
  { method: 'DELETE', path: `/users/${id}`, protection: 'bearer' },
  { method: 'GET', path: '/emails', protection: 'bearer' },
  { method: 'GET', path: '/audit-events', protection: 'bearer' },
  { method: 'GET', path: '/roles', protection: 'edge' },
  { method: 'GET', path: '/.well-known/jwks.json', protection: 'none' },
  { method: 'GET', path: '/.well-known/change-password', protection: 'none' },
  { method: 'GET', path: '/healthz', protection: 'none' },
  { method: 'GET', path: '/readyz', protection: 'none' },
]

export const protectedCalls = calls.filter(({ protection }) => protection !== 'none')
export const jsonCalls = calls.filter((call): call is Required<ContractCall> => call.body !== undefined)
