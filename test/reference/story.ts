/** One story in which every operation of the document succeeds once. */
import type { Success } from '../support/api.ts'
import { type Authenticator, createAuthenticator } from '../support/authenticator.ts'
import { day } from '../support/clock.ts'
import { Caller } from '../support/caller.ts'
import { App, factorTokenIn, giveFactors } from '../support/factors.ts'
import { inboxOf } from '../support/inbox.ts'
import { goodPassword as password, otherPassword as newPassword } from '../support/person.ts'
import { peopleOf } from '../support/population.ts'
import type { Answer, Service } from '../support/service.ts'
import { rowOf } from '../support/state.ts'
import { eventOf, svixHeaders } from '../support/webhooks.ts'
import type { Request } from './curl.ts'

export interface Step extends Request {
  operationId: string
  status: number
}

/** The values so far, by the names that the curl lines use. */
type Variables = Record<string, string>
type Perform = (step: Step) => Promise<Answer>

const email = 'ada@example.com'

/** @param perform runs the curl line of a step with the current variables */
export async function tellStory(service: Service, variables: Variables, perform: Perform): Promise<void> {
  const [anonymous, inbox] = [new Caller(service), inboxOf(service)]
  const admin = await peopleOf(service).admin()
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
  const keep = (tokens: Success<'refresh'>) =>
    Object.assign(variables, {
      ACCESS_TOKEN: tokens.access_token,
      REFRESH_TOKEN: tokens.refresh_token,
      USER_ID: tokens.user.id,
    })
  const keepTokensOf = ({ json }: Answer) => keep(json as Success<'refresh'>)
  const mine = { token: '$ACCESS_TOKEN' }
  const asAdmin = { token: '$ADMIN_TOKEN' }

  await step('getHealth', 200, 'GET', '/healthz')
  await step('getReadiness', 200, 'GET', '/readyz')
  await step('getKeys', 200, 'GET', '/.well-known/jwks.json')
  await step('findChangePasswordPage', 302, 'GET', '/.well-known/change-password')

  const person = { email, password, first_name: 'Ada', last_name: 'Lovelace', locale: 'en-GB' }
  await step('register', 202, 'POST', '/auth/register', { body: person })
  await step('resendActivation', 202, 'POST', '/auth/resend-activation', { body: { email } })
  variables['ACTIVATION_TOKEN'] = inbox.linkToken(email)
  const proofs = { token: '$ACTIVATION_TOKEN', password }
  keepTokensOf(await step('activate', 200, 'POST', '/auth/activate', { body: proofs }))
  keepTokensOf(await step('login', 200, 'POST', '/auth/login', { body: { email, password } }))
  await useAPasskey(variables, step)
  const { sessions } = await anonymous.from({ token: variables['ACCESS_TOKEN']! }).sessions()
  // Newest first: the session of the activation, which the story ends.
  variables['SESSION_ID'] = sessions.at(-1)!.id
  const current = { refresh_token: '$REFRESH_TOKEN' }
  keepTokensOf(await step('refresh', 200, 'POST', '/auth/refresh', { body: current }))

  await step('verify', 204, 'GET', '/auth/verify', mine)
  const bio = { avatar_url: 'https://images.example.com/ada.png', bio: 'Notes on engines.' }
  await step('updateMe', 200, 'PATCH', '/users/me', { ...mine, body: bio })
  await step('getMe', 200, 'GET', '/users/me', mine)
  await step('listMySessions', 200, 'GET', '/users/me/sessions', mine)
  await step('endMySession', 204, 'DELETE', '/users/me/sessions/$SESSION_ID', mine)
  await step('endMyOtherSessions', 204, 'DELETE', '/users/me/sessions', mine)
  await setUpTotp(service, variables, step)
  const passwords = { old_password: password, new_password: newPassword, ...current }
  keepTokensOf(await step('changePassword', 200, 'POST', '/auth/change-password', { ...mine, body: passwords }))
  await step('listMyActivity', 200, 'GET', '/users/me/activity?limit=3', mine)
  await step('listRoles', 200, 'GET', '/roles', mine)

  await step('listUsers', 200, 'GET', '/users?email=ada', asAdmin)
  await step('getUser', 200, 'GET', '/users/$USER_ID', asAdmin)
  await step('moderateProfile', 200, 'PATCH', '/users/$USER_ID/profile', { ...asAdmin, body: { avatar_url: null } })
  await step('listSessionsOfUser', 200, 'GET', '/users/$USER_ID/sessions', asAdmin)
  const lost = { reason: 'Lost the phone, called from the number on file.' }
  await step('resetFactors', 204, 'DELETE', '/users/$USER_ID/factors', { ...asAdmin, body: lost })
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

  // What happens in one moment has an order by chance.
  service.clock.advance(7_312)
  keep(await anonymous.login({ email, password: newPassword }))
  await step('exportMe', 200, 'GET', '/users/me/export', mine)
  const address = 'ada.lovelace@example.com'
  await step('changeEmail', 202, 'POST', '/users/me/email', { ...mine, body: { email: address } })
  variables['CONFIRM_TOKEN'] = inbox.linkToken(address)
  variables['REVERT_TOKEN'] = inbox.linkToken(email)
  await step('confirmEmail', 200, 'POST', '/users/me/email/confirm', { ...mine, body: { token: '$CONFIRM_TOKEN' } })
  await step('revertEmail', 204, 'POST', '/auth/email/revert', { body: { token: '$REVERT_TOKEN' } })

  await step('requestPasswordReset', 202, 'POST', '/auth/password-reset/request', { body: { email } })
  variables['RESET_TOKEN'] = inbox.linkToken(email)
  const reset = { token: '$RESET_TOKEN', new_password: password }
  await step('completePasswordReset', 204, 'POST', '/auth/password-reset/complete', { body: reset })
  keep(await anonymous.login({ email, password }))
  await step('logout', 204, 'POST', '/auth/logout', { body: current })
  keep(await anonymous.login({ email, password }))
  await step('logoutAll', 204, 'POST', '/auth/logout-all', mine)
  keep(await anonymous.login({ email, password }))
  await step('deleteMe', 204, 'DELETE', '/users/me', { ...mine, body: { password } })

  await anonymous.register({ email: 'grace@example.com', password })
  const grace = String((await rowOf('users', 'email = ?', 'grace@example.com'))['id'])
  variables['USER_ID'] = grace
  await step('activateUser', 200, 'POST', '/users/$USER_ID/activate', asAdmin)
  await step('deleteUser', 204, 'DELETE', '/users/$USER_ID', asAdmin)

  const lin = await peopleOf(service).signUp('lin@example.com')
  const { app } = await giveFactors(lin.id, service.clock, new Uint8Array(20))
  const asked = await anonymous.login({ email: lin.email, password }).refused(403, 'second_factor_required')
  variables['FACTOR_TOKEN'] = factorTokenIn(asked)
  service.clock.advance(7_312)
  const shown = { factor_token: '$FACTOR_TOKEN', totp: app.code(), trust_device: true }
  service.clock.advance(-7_312)
  keepTokensOf(await step('secondFactor', 200, 'POST', '/auth/second-factor', { body: shown }))
  await step('stepUpOptions', 200, 'POST', '/auth/step-up/options', mine)
  service.clock.advance(30_000 + 7_312)
  const next = { totp: app.code() }
  service.clock.advance(-7_312)
  await step('stepUp', 200, 'POST', '/auth/step-up', { ...mine, body: next })

  service.clock.advance(120 * day)
  await service.runCron('30 * * * *')
  variables['ADMIN_TOKEN'] = (await peopleOf(service).signIn('admin@example.com')).accessToken
  variables['USER_ID'] = grace
  await step('readAuditArchive', 200, 'GET', '/audit-archive?user_id=$USER_ID&from=2026-11-22T12:00:00Z', asAdmin)
  await step('getSecurityContact', 200, 'GET', '/.well-known/security.txt')
}

type Told = (
  operationId: string,
  status: number,
  method: string,
  path: string,
  rest?: Partial<Request>,
) => Promise<Answer>

/** Adds a passkey, signs in with it, and removes it. */
async function useAPasskey(variables: Variables, step: Told): Promise<void> {
  const mine = { token: '$ACCESS_TOKEN' }
  const authenticator = createAuthenticator()
  const own = '/users/me/passkeys'
  const creation = (await step('passkeyEnrolmentOptions', 200, 'POST', `${own}/options`, mine)).json
  const { challenge_token: token, public_key: options } = creation as Success<'passkeyEnrolmentOptions'>
  const created = await authenticator.create(options)
  Object.assign(variables, {
    CHALLENGE_TOKEN: token,
    CREDENTIAL_ID: created.id,
    CLIENT_DATA: created.response.clientDataJSON,
    ATTESTATION_OBJECT: created.response.attestationObject,
  })
  const response = {
    clientDataJSON: '$CLIENT_DATA',
    attestationObject: '$ATTESTATION_OBJECT',
    transports: ['internal'],
  }
  const credential = { id: '$CREDENTIAL_ID', response }
  const body = { challenge_token: '$CHALLENGE_TOKEN', credential, name: 'Laptop' }
  const added = await step('addPasskey', 201, 'POST', own, { ...mine, body })
  variables['PASSKEY_ID'] = (added.json as Success<'addPasskey'>).id
  await signInWithPasskey(variables, authenticator, step)
  await step('renamePasskey', 200, 'PATCH', `${own}/$PASSKEY_ID`, { ...mine, body: { name: 'Old laptop' } })
  await step('removePasskey', 204, 'DELETE', `${own}/$PASSKEY_ID`, mine)
}

async function signInWithPasskey(variables: Variables, authenticator: Authenticator, step: Told): Promise<void> {
  const options = await step('passkeySignInOptions', 200, 'POST', '/auth/passkey/options')
  const { challenge_token: token, public_key: request } = options.json as Success<'passkeySignInOptions'>
  const { response } = await authenticator.get(request)
  Object.assign(variables, {
    CHALLENGE_TOKEN: token,
    CLIENT_DATA: response.clientDataJSON,
    AUTHENTICATOR_DATA: response.authenticatorData,
    PASSKEY_SIGNATURE: response.signature,
    USER_HANDLE: response.userHandle,
  })
  const credential = {
    id: '$CREDENTIAL_ID',
    response: {
      clientDataJSON: '$CLIENT_DATA',
      authenticatorData: '$AUTHENTICATOR_DATA',
      signature: '$PASSKEY_SIGNATURE',
      userHandle: '$USER_HANDLE',
    },
  }
  const body = { challenge_token: '$CHALLENGE_TOKEN', credential }
  await step('signInWithPasskey', 200, 'POST', '/auth/passkey', { body })
}

/** Adds an authenticator app, makes new recovery codes, and removes it again. */
async function setUpTotp(service: Service, variables: Variables, step: Told): Promise<void> {
  const mine = { token: '$ACCESS_TOKEN' }
  await step('sendFactorCode', 202, 'POST', '/users/me/factors/code', mine)
  const { json } = await step('startTotp', 200, 'POST', '/users/me/totp', mine)
  const { setup_token: token, secret } = json as Success<'startTotp'>
  Object.assign(variables, { SETUP_TOKEN: token, CODE: new App(secret, service.clock).code() })
  const body = { setup_token: '$SETUP_TOKEN', code: '$CODE' }
  await step('confirmTotp', 201, 'POST', '/users/me/totp/confirm', { ...mine, body })
  await step('getMyFactors', 200, 'GET', '/users/me/factors', mine)
  await step('renewRecoveryCodes', 200, 'POST', '/users/me/recovery-codes', mine)
  await step('removeTotp', 204, 'DELETE', '/users/me/totp', mine)
}

/** Delivers a signed webhook of Resend: the newest email bounced. */
async function bounce(service: Service, variables: Variables, step: Told): Promise<void> {
  const body = { created_at: '2026-11-22T12:04:00.000Z', ...eventOf('bounced', inboxOf(service).newest(email)) }
  const at = new Date(service.clock.now().getTime() + 7_312)
  const headers = await svixHeaders(JSON.stringify(body), { at })
  variables['SIGNATURE'] = headers['svix-signature']
  const shown = { ...headers, 'svix-signature': '$SIGNATURE' }
  await step('receiveResendWebhook', 200, 'POST', '/webhooks/resend', { headers: shown, body })
}
