/** One story in which every operation of the document is called once, and succeeds. */
import type { Answer, Service } from '../support/service.ts'
import { newestMail, signUpAdmin, tokenIn } from '../support/people.ts'
import { rowOf } from '../support/state.ts'
import { eventOf, svixHeaders } from '../support/webhooks.ts'
import type { Request } from './curl.ts'

export interface Step extends Request {
  operationId: string
  status: number
}

/** What is known so far, by the names that the curl lines use. */
type Variables = Record<string, string>
type Perform = (step: Step) => Promise<Answer>

const email = 'ada@example.com'
const password = 'nine quiet lanterns drift'
const newPassword = 'seven copper kettles hum'

const mailed = (service: Service, to = email) => tokenIn(newestMail(service, to))

/** @param perform runs a step's curl line, with the variables as they are then */
export async function tellStory(service: Service, variables: Variables, perform: Perform): Promise<void> {
  const admin = await signUpAdmin(service)
  variables['ADMIN_TOKEN'] = admin.accessToken
  const step = async (
    operationId: string,
    status: number,
    method: string,
    path: string,
    rest: Partial<Request> = {},
  ) => {
    service.clock.advance(7_312)
    const answer = await perform({ operationId, status, method, path, ...rest })
    await service.deliver()
    return answer
  }
  const known = ({ json }: Answer) =>
    Object.assign(variables, {
      ACCESS_TOKEN: json.access_token,
      REFRESH_TOKEN: json.refresh_token,
      USER_ID: json.user.id,
    })
  const mine = { token: '$ACCESS_TOKEN' }
  const asAdmin = { token: '$ADMIN_TOKEN' }

  await step('getHealth', 200, 'GET', '/healthz')
  await step('getReadiness', 200, 'GET', '/readyz')
  await step('getKeys', 200, 'GET', '/.well-known/jwks.json')
  await step('findChangePasswordPage', 302, 'GET', '/.well-known/change-password')

  const person = { email, password, first_name: 'Ada', last_name: 'Lovelace', locale: 'en-GB' }
  await step('register', 202, 'POST', '/auth/register', { body: person })
  await step('resendActivation', 202, 'POST', '/auth/resend-activation', { body: { email } })
  variables['ACTIVATION_TOKEN'] = mailed(service)
  const proofs = { token: '$ACTIVATION_TOKEN', password }
  known(await step('activate', 200, 'POST', '/auth/activate', { body: proofs }))
  const signedIn = await step('login', 200, 'POST', '/auth/login', { body: { email, password } })
  variables['SESSION_ID'] = (await sessionsOf(service, signedIn)).at(-1)!
  known(signedIn)
  known({ ...signedIn, ...(await refreshed(step)) })

  await step('verify', 204, 'GET', '/auth/verify', mine)
  const bio = { avatar_url: 'https://images.example.com/ada.png', bio: 'Notes on engines.' }
  await step('updateMe', 200, 'PATCH', '/users/me', { ...mine, body: bio })
  await step('getMe', 200, 'GET', '/users/me', mine)
  await step('listMySessions', 200, 'GET', '/users/me/sessions', mine)
  await step('endMySession', 204, 'DELETE', '/users/me/sessions/$SESSION_ID', mine)
  await step('endMyOtherSessions', 204, 'DELETE', '/users/me/sessions', mine)
  const passwords = { old_password: password, new_password: newPassword }
  await step('changePassword', 204, 'POST', '/auth/change-password', { ...mine, body: passwords })
  await step('listMyActivity', 200, 'GET', '/users/me/activity?limit=3', mine)
  await step('listRoles', 200, 'GET', '/roles', mine)

  await step('listUsers', 200, 'GET', '/users?email=ada', asAdmin)
  await step('getUser', 200, 'GET', '/users/$USER_ID', asAdmin)
  await step('moderateProfile', 200, 'PATCH', '/users/$USER_ID/profile', { ...asAdmin, body: { avatar_url: null } })
  await step('listSessionsOfUser', 200, 'GET', '/users/$USER_ID/sessions', asAdmin)
  await step('startPasswordReset', 202, 'POST', '/users/$USER_ID/password-reset', asAdmin)
  await step('endSessionsOfUser', 204, 'DELETE', '/users/$USER_ID/sessions', asAdmin)
  await step('assignRole', 200, 'PUT', '/users/$USER_ID/role', { ...asAdmin, body: { role: 'MODERATOR' } })
  const reason = { reason: 'Sent spam to other members.' }
  await step('suspendUser', 200, 'POST', '/users/$USER_ID/suspend', { ...asAdmin, body: reason })
  await step('listAuditEvents', 200, 'GET', '/audit-events?user_id=$USER_ID&type=user.suspended', asAdmin)
  await step('reinstateUser', 200, 'POST', '/users/$USER_ID/reinstate', asAdmin)
  await bounce(service, variables, step)
  await step('listEmails', 200, 'GET', '/emails?user_id=$USER_ID&limit=1', asAdmin)
  await step('liftEmailSuppression', 204, 'DELETE', '/users/$USER_ID/email-suppression', asAdmin)

  await step('requestPasswordReset', 202, 'POST', '/auth/password-reset/request', { body: { email } })
  variables['RESET_TOKEN'] = mailed(service)
  const reset = { token: '$RESET_TOKEN', new_password: password }
  await step('completePasswordReset', 204, 'POST', '/auth/password-reset/complete', { body: reset })
  known(await signIn(service))
  await step('logout', 204, 'POST', '/auth/logout', { body: { refresh_token: '$REFRESH_TOKEN' } })
  known(await signIn(service))
  await step('logoutAll', 204, 'POST', '/auth/logout-all', mine)
  known(await signIn(service))
  await step('deleteMe', 204, 'DELETE', '/users/me', { ...mine, body: { password } })

  await service.call('POST', '/auth/register', { body: { email: 'grace@example.com', password } })
  variables['USER_ID'] = String((await rowOf('users', 'email = ?', 'grace@example.com'))['id'])
  await step('activateUser', 200, 'POST', '/users/$USER_ID/activate', asAdmin)
  await step('deleteUser', 204, 'DELETE', '/users/$USER_ID', asAdmin)
}

type Told = (
  operationId: string,
  status: number,
  method: string,
  path: string,
  rest?: Partial<Request>,
) => Promise<Answer>

async function refreshed(step: Told): Promise<Answer> {
  return step('refresh', 200, 'POST', '/auth/refresh', { body: { refresh_token: '$REFRESH_TOKEN' } })
}

async function signIn(service: Service): Promise<Answer> {
  const { status, json } = await service.call('POST', '/auth/login', { body: { email, password } })
  if (status !== 200) throw new Error(json.detail)
  return { json } as Answer
}

/** Newest first. */
async function sessionsOf(service: Service, { json }: Answer): Promise<string[]> {
  const { json: list } = await service.call('GET', '/users/me/sessions', { token: json.access_token })
  return list.sessions.map(({ id }: { id: string }) => id)
}

/** Resend tells, under its signature, that the newest mail came back. */
async function bounce(service: Service, variables: Variables, step: Told): Promise<void> {
  const body = { created_at: '2026-11-22T12:04:00.000Z', ...eventOf('bounced', newestMail(service, email)) }
  const at = new Date(service.clock.now().getTime() + 7_312)
  const headers = await svixHeaders(JSON.stringify(body), { at })
  variables['SIGNATURE'] = headers['svix-signature']
  const shown = { ...headers, 'svix-signature': '$SIGNATURE' }
  await step('receiveResendWebhook', 200, 'POST', '/webhooks/resend', { headers: shown, body })
}
