/**
 * The types of `@postern/client` as an application sees them, checked by `npm run typecheck`. They follow from the OpenAPI
 * document, so a change of the contract that would break applications fails here first. Nothing in this file runs.
 */
import type { Hono, MiddlewareHandler } from 'hono'
import { hc } from 'hono/client'
import { expectTypeOf } from 'vitest'
import { type PosternEnv, postern, requireAcr } from '../../client/src/hono.ts'
import {
  type AdministeredUser,
  type AuditEvent,
  type Body,
  type Change,
  type ClientStorage,
  type ErrorCode,
  type FieldError,
  type Permission,
  PosternError,
  type Role,
  type SecondFactorRequired,
  type Session,
  type SignInOutcome,
  type StepUpChallenge,
  type User,
  createClient,
} from '../../client/src/index.ts'
import { type AccessToken, verifier } from '../../client/src/verifier.ts'

const client = createClient({ url: 'https://accounts.example.com' })

// @ts-expect-error -- a client needs the address of the service
createClient({})
// @ts-expect-error -- there are two transports
createClient({ url: 'https://accounts.example.com', transport: 'header' })
expectTypeOf<Storage>().toExtend<ClientStorage>()

// Users
expectTypeOf<Role>().toEqualTypeOf<'USER' | 'MODERATOR' | 'ADMIN'>()
expectTypeOf<User['role']>().toEqualTypeOf<Role>()
expectTypeOf<User['first_name']>().toEqualTypeOf<string | null>()
expectTypeOf<User>().not.toHaveProperty('email_deliverable')
expectTypeOf<AdministeredUser>().toHaveProperty('email_deliverable').toEqualTypeOf<boolean>()
expectTypeOf<AdministeredUser>().toHaveProperty('suspended_by_role').toEqualTypeOf<Role | null>()
expectTypeOf<'content:manage'>().toExtend<Permission>()
expectTypeOf<'content:delete'>().not.toExtend<Permission>()

// The session
expectTypeOf(client.user).toEqualTypeOf<User | null>()
expectTypeOf(client.restore).returns.resolves.toEqualTypeOf<User | null>()
// A second factor may be asked for, and the types do not let an app forget it.
expectTypeOf(client.signIn).returns.resolves.toEqualTypeOf<SignInOutcome>()
expectTypeOf(client.activate).returns.resolves.toEqualTypeOf<SignInOutcome>()
expectTypeOf<Extract<SignInOutcome, { kind: 'signed_in' }>['user']>().toEqualTypeOf<User>()
expectTypeOf<Extract<SignInOutcome, { kind: 'second_factor_required' }>>().toEqualTypeOf<SecondFactorRequired>()
expectTypeOf<SecondFactorRequired['factors'][number]>().toEqualTypeOf<'passkey' | 'totp' | 'recovery_code'>()
// @ts-expect-error -- the user is there only when nothing more is asked for
void client.signIn({ email: 'a@example.com', password: 'x' }).then((outcome) => outcome.user)
expectTypeOf(client.secondFactor).returns.resolves.toEqualTypeOf<User>()
expectTypeOf(client.signInWithPasskey).returns.resolves.toEqualTypeOf<User>()
// @ts-expect-error -- a password is no second factor
void client.secondFactor({ factor_token: 'x' }, { password: 'x' })
void client.stepUp({ password: 'x' })
// @ts-expect-error -- one proof, not none
void client.stepUp({})
client.onStepUpRequired(async ({ acrValues, maxAgeSeconds }: StepUpChallenge) => {
  expectTypeOf(acrValues).toEqualTypeOf<string[]>()
  expectTypeOf(maxAgeSeconds).toEqualTypeOf<number | undefined>()
})
expectTypeOf(client.signOut).returns.resolves.toBeVoid()
expectTypeOf(client.sessions).returns.resolves.toEqualTypeOf<Session[]>()
expectTypeOf(client.onChange).parameter(0).parameter(0).toEqualTypeOf<Change>()
expectTypeOf(client.onChange).returns.toEqualTypeOf<() => void>()
// As React's `useSyncExternalStore` takes it.
expectTypeOf(client.onChange).toExtend<(onStoreChange: () => void) => () => void>()
// The client itself adds the transport and the device token.
expectTypeOf(client.signIn).parameter(0).toHaveProperty('password').toEqualTypeOf<string>()
expectTypeOf(client.signIn).parameter(0).not.toHaveProperty('transport')
expectTypeOf(client.signIn).parameter(0).not.toHaveProperty('device_token')
// @ts-expect-error -- the account is read-only: a sign-in or `updateMe` changes it
client.user = null
// @ts-expect-error -- nobody assigns a role to themselves
void client.updateMe({ role: 'ADMIN' })

// Administration
expectTypeOf(client.admin.assignRole).parameter(1).toEqualTypeOf<Role>()
expectTypeOf(client.admin.user).returns.resolves.toEqualTypeOf<AdministeredUser>()
// @ts-expect-error -- a suspension has a reason
void client.admin.suspend('019aa0f0-0000-7000-8000-000000000000')
// @ts-expect-error -- not a state that a user can have
void client.admin.users({ status: 'deleted' })

// Any call by its path
expectTypeOf(client.request('get', '/users/me')).resolves.toEqualTypeOf<User>()
expectTypeOf(client.request('delete', '/users/me/sessions')).resolves.toEqualTypeOf<undefined>()
expectTypeOf(client.request('get', '/audit-events', { query: { limit: 5 } })).resolves.toEqualTypeOf<{
  events: AuditEvent[]
  next_cursor: string | null
  archived_before: string | null
}>()
// @ts-expect-error -- the path has a part to fill in
void client.request('get', '/users/{id}')
// @ts-expect-error -- the call has a body
void client.request('post', '/auth/change-password')
// @ts-expect-error -- no such path
void client.request('get', '/accounts')
// @ts-expect-error -- the path does not take this method
void client.request('post', '/users/me')
expectTypeOf<Body<'changePassword'>>().toHaveProperty('new_password').toEqualTypeOf<string>()

// `fetch` fits wherever one is taken
expectTypeOf(client.fetch).toEqualTypeOf<typeof fetch>()
hc<Hono>('https://api.example.com', { fetch: client.fetch })
/** As `openapi-fetch` declares its option. */
const openapiFetch: { fetch?: (request: Request) => Promise<Response> } = { fetch: client.fetch }
void openapiFetch

// Every call takes a signal
void client.me({ signal: AbortSignal.timeout(300) })
void client.signIn({ email: 'a@example.com', password: 'x' }, { signal: AbortSignal.timeout(300) })
void client.admin.user('019aa0f0-0000-7000-8000-000000000000', { signal: AbortSignal.timeout(300) })
// @ts-expect-error -- the client itself adds the token that a new password replaces
void client.changePassword({ old_password: 'x', new_password: 'y', refresh_token: 'z' })

// Failures
expectTypeOf(PosternError).instance.toExtend<Error>()
expectTypeOf(PosternError).instance.toHaveProperty('code').toEqualTypeOf<ErrorCode>()
expectTypeOf(PosternError).instance.toHaveProperty('errors').toEqualTypeOf<FieldError[]>()
expectTypeOf<'invalid_credentials' | 'rate_limited' | 'network_error' | 'unexpected_answer'>().toExtend<ErrorCode>()
expectTypeOf<'invalid_request' | 'origin_not_listed' | 'client_in_use'>().toExtend<ErrorCode>()
expectTypeOf<string>().not.toExtend<ErrorCode>()

// Services behind Postern
const verify = verifier({ issuer: 'https://accounts.example.com' })
expectTypeOf(verify).returns.resolves.toEqualTypeOf<AccessToken>()
expectTypeOf<AccessToken['permissions']>().toEqualTypeOf<Permission[]>()
expectTypeOf<AccessToken['expiresAt']>().toEqualTypeOf<Date>()
// @ts-expect-error -- the issuer is not guessed
verifier({})

expectTypeOf(postern({ permission: 'content:manage' })).toEqualTypeOf<MiddlewareHandler<PosternEnv>>()
expectTypeOf<PosternEnv['Variables']['postern']>().toEqualTypeOf<AccessToken>()
expectTypeOf(requireAcr('urn:postern:2', { maxAgeSeconds: 600 })).toEqualTypeOf<MiddlewareHandler<PosternEnv>>()
// @ts-expect-error -- not a value that Postern issues
requireAcr('urn:postern:3')
// @ts-expect-error -- a permission that no role has
postern({ permission: 'content:mange' })
