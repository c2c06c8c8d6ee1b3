import { setTimeout as delay } from 'node:timers/promises'
import { Api, type Tokens } from '../demo/api.ts'
import { demoAdmin } from '../demo/demo-admin.ts'
import { Inbox, nextLink } from '../demo/inbox.ts'
import { Stop } from '../command.ts'
import type { Cost, Invocation } from './cost.ts'
import { factorAskedFor, measureFactors } from './factor-calls.ts'
import type { Measure } from './measure.ts'

const password = demoAdmin.password
const newPassword = 'lantern-41-copper-heron'
/** Accounts of their own, so that every run does the same. */
const email = 'newcomer@example.com'
const careful = { email: 'careful@example.com', password }

/**
 * Makes every kind of call, one after the other, and gives the cost of each by its name.
 *
 * @throws {Stop} when a call is refused
 */
export async function measureCalls(url: string, mailboxUrl: string): Promise<Map<string, Cost>> {
  const mailbox = new Api(mailboxUrl)
  const linksTo = (address: string) => {
    const inbox = new Inbox(mailbox, address)
    return async (page: string) => (await nextLink(inbox, 'the email', url, page)).token
  }
  const measure: Measure = async (name, method, path, token, body) => {
    const answer = await fetch(url + path, {
      method,
      headers: {
        'x-measured': name,
        'content-type': 'application/json',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    const refusal = refusals[name]
    const isExpected = refusal === undefined ? answer.ok : answer.status === refusal
    if (!isExpected) throw new Stop(`${name}: ${answer.status} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }
  const signIn = (name: string, more: object = {}) =>
    measure<SignedIn>(name, 'POST', '/auth/login', undefined, { email, password, ...more })

  // The first calls of a Worker also read its settings and the schema.
  const { access_token: admin } = await measure<Tokens>('', 'POST', '/auth/login', undefined, demoAdmin)
  const device = await measureOwn(measure, signIn, linksTo(email))
  await measure('', 'POST', '/auth/register', undefined, careful)
  const activation = { token: await linksTo(careful.email)('/activate'), password }
  const { access_token: own } = await measure<Tokens>('', 'POST', '/auth/activate', undefined, activation)
  await measureFactors(measure, url, own, careful)
  await settledInvocations(url)
  await tellOfDeliveries(mailboxUrl)
  const { user } = await signIn('', { password: newPassword, device_token: device })
  await measureAdministration(measure, admin, user.id)
  for (const [name, cron] of Object.entries(jobs)) await measure(name, 'GET', `/-/job?cron=${encodeURIComponent(cron)}`)
  return costsOf(await settledInvocations(url))
}

type SignedIn = Tokens & { device_token: string }

/**
 * How often the calls are made whose mean time is reported. Sign-ins stay below the 100 events that are kept in an
 * hour.
 */
const repetitions = 99
const signIns = 29

const refusedSignIn = 'refused sign-in'
/** What is refused, with which status. */
const refusals: Readonly<Record<string, number>> = { [refusedSignIn]: 401, [factorAskedFor]: 403 }

/** The calls of a person, from the registration on. Returns the token of their device. */
async function measureOwn(
  measure: Measure,
  signIn: (name: string, more?: object) => Promise<SignedIn>,
  linkTo: (page: string) => Promise<string>,
): Promise<string> {
  await measure('register', 'POST', '/auth/register', undefined, { email, password })
  const activation = { token: await linkTo('/activate'), password }
  const { device_token: device } = await measure<SignedIn>('activate', 'POST', '/auth/activate', undefined, activation)
  const known = { device_token: device }
  await signIn('sign in, unknown device')
  for (let time = 0; time < signIns; time++) await signIn('sign in, known device', known)
  await measure(refusedSignIn, 'POST', '/auth/login', undefined, { email, password: newPassword, ...known })
  const first = await signIn('', known)
  let second: Tokens = first
  for (let time = 0; time < repetitions; time++) {
    const refresh = { refresh_token: second.refresh_token }
    second = await measure<Tokens>('refresh', 'POST', '/auth/refresh', undefined, refresh)
  }
  const own = second.access_token
  await measure('verify at the edge', 'GET', '/auth/verify', own)
  for (let time = 0; time < repetitions; time++) await measure('own account', 'GET', '/users/me', own)
  await measure('own sessions', 'GET', '/users/me/sessions', own)
  await measure('own activity', 'GET', '/users/me/activity', own)
  await measure('change the profile', 'PATCH', '/users/me', own, { bio: 'Walks a lot.' })
  const change = { old_password: password, new_password: newPassword, refresh_token: second.refresh_token }
  const third = await measure<Tokens>('change the password', 'POST', '/auth/change-password', own, change)
  await measure('log out', 'POST', '/auth/logout', undefined, { refresh_token: third.refresh_token })
  await measure('request a reset', 'POST', '/auth/password-reset/request', undefined, { email })
  const reset = { token: await linkTo('/reset-password'), new_password: newPassword }
  await measure('reset the password', 'POST', '/auth/password-reset/complete', undefined, reset)
  return device
}

async function measureAdministration(measure: Measure, admin: string, id: string): Promise<void> {
  await measure('page of users', 'GET', '/users', admin)
  await measure('users by address', 'GET', '/users?email=ada', admin)
  await measure('users by role and status', 'GET', '/users?role=USER&status=active', admin)
  await measure('one user', 'GET', `/users/${id}`, admin)
  await measure('page of audit events', 'GET', '/audit-events', admin)
  await measure('audit events of a user', 'GET', `/audit-events?user_id=${id}`, admin)
  await measure('page of emails', 'GET', '/emails', admin)
  await measure('suspend', 'POST', `/users/${id}/suspend`, admin, { reason: 'Spam' })
  await measure('reinstate', 'POST', `/users/${id}/reinstate`, admin)
  await measure('delete an account', 'DELETE', `/users/${id}`, admin)
}

/**
 * By the name in the tables, the Cron Triggers of wrangler.toml. Not the archive, whose cost depends only on what is
 * due.
 */
export const jobs = { requeue: '*/5 * * * *', gauge: '*/10 * * * *', cleanup: '0 * * * *' }

const deliverAnEmail = 'deliver an email'
const webhook = 'webhook: delivered'

/**
 * Waits until every email that was caused is delivered.
 *
 * @returns everything until now
 */
async function settledInvocations(url: string): Promise<Invocation[]> {
  const deadline = Date.now() + 60_000
  while (Date.now() < deadline) {
    const invocations = (await (await fetch(`${url}/-/invocations`)).json()) as Invocation[]
    if (sum(invocations, 'messages') >= sum(invocations, 'queueSends')) return invocations
    await delay(250)
  }
  throw new Stop('The emails were not delivered within a minute.')
}

/** Has the mailbox send the webhook of each email that it got. */
async function tellOfDeliveries(mailboxUrl: string): Promise<void> {
  const mailbox = new Api(mailboxUrl)
  const { data } = await mailbox.call<{ data: { id: string }[] }>('GET', '/emails?limit=100', {
    token: '-',
    expect: 200,
  })
  for (const { id } of data) {
    const body = { type: 'email.delivered' }
    await mailbox.call('POST', `/emails/${id}/events`, { token: '-', body, expect: 200 })
  }
}

function costsOf(invocations: Invocation[]): Map<string, Cost> {
  const names = new Map<string, Cost>()
  for (const [name, each] of Map.groupBy(invocations, ({ what }) => what)) {
    names.set(name, { ...each[0]!, sqlMs: sum(each, 'sqlMs') / each.length })
  }
  for (const [name, cron] of Object.entries(jobs)) names.set(name, names.get(`job ${cron}`)!)
  const deliveries = invocations.filter(({ what }) => what === 'queue')
  names.set(deliverAnEmail, mean(deliveries, sum(deliveries, 'messages')))
  const webhooks = invocations.filter(({ what }) => what === 'POST /webhooks/resend')
  names.set(webhook, mean(webhooks, webhooks.length))
  return names
}

function mean(invocations: Invocation[], count: number): Cost {
  const of = (key: keyof Cost) => sum(invocations, key) / count
  return {
    roundTrips: of('roundTrips'),
    rowsRead: of('rowsRead'),
    rowsWritten: of('rowsWritten'),
    kvReads: of('kvReads'),
    kvWrites: of('kvWrites'),
    queueSends: of('queueSends'),
    logBytes: of('logBytes'),
    sqlMs: of('sqlMs'),
    ms: of('ms'),
  }
}

function sum(invocations: Invocation[], key: keyof Cost | 'messages'): number {
  return invocations.reduce((total, invocation) => total + invocation[key], 0)
}
