/** Takes the second factors from an account by SQL, for an owner who has lost them and whom no ADMIN can help. */
import { uuidOfBytes, uuidv7 } from '../../src/crypto/random.ts'
import { normalizeEmailAddress } from '../../src/email-address.ts'
import { auditCodes } from '../../src/store/schema/audit.ts'
import { users } from '../../src/store/schema/users.ts'
import { type Asker, confirm } from '../cloudflare/ask.ts'
import { queryDatabase } from '../cloudflare/database.ts'
import { requireLogin } from '../cloudflare/login.ts'
import { Stop, readArguments } from '../command.ts'
import { isMigrated } from '../dev/database.ts'
import { readLocalServer } from '../dev/settings.ts'
import type { Query } from '../query.ts'
import type { Wrangler } from '../wrangler.ts'

export const usage = `npm run reset-factors -- ADDRESS --reason TEXT [--local] [--yes]

Removes the passkeys, the authenticator app, the recovery codes and the sessions of the account with this address, straight
in the database at Cloudflare, and records it in the audit trail. The password stays. Nobody is mailed.
For the owner of the only ADMIN account who has lost every second factor: any other owner asks an ADMIN.

  --reason  why, for the audit trail: one line of at most 500 characters
  --local   in the database of \`npm run dev\`, which should be stopped
  --yes     go ahead without asking`

export interface ResetSurroundings {
  wrangler: Wrangler
  env: NodeJS.ProcessEnv
  asker: Asker | null
  say: (line: string) => void
  now: () => Date
}

const options = {
  reason: { type: 'string' },
  local: { type: 'boolean', default: false },
  yes: { type: 'boolean', default: false },
  help: { type: 'boolean' },
} as const

/**
 * `npm run reset-factors`
 *
 * @throws {Stop} when nothing was done, with the reason
 */
export async function resetFactors(args: string[], around: ResetSurroundings): Promise<void> {
  const { values, positionals } = readArguments({ args, options, allowPositionals: true }, usage)
  const { say } = around
  if (values.help) return say(usage)
  const [address = '', ...more] = positionals
  const email = normalizeEmailAddress(address)
  if (!email || more.length > 0) throw new Stop(`ADDRESS must be one email address.\n\n${usage}`)
  const reason = readReason(values.reason)
  const query = await databaseOf(around, values.local)

  const account = await find(query, email)
  say(`${email} (${account.role}, ${account.status}) has ${account.has.join(', ')}.`)
  say('All of it will be removed, and the account has its password alone. Nobody is mailed: tell the owner yourself.')
  await confirm(around.asker, values.yes)
  const eventId = await remove(query, account.id, reason, around.now())
  say(`Done, and recorded as the audit event ${eventId}.`)
  say(
    'For up to ten minutes GET /auth/verify, GET /roles and services that verify tokens still accept its access tokens.',
  )
}

function readReason(text: string | undefined): string {
  const reason = text?.trim() ?? ''
  if (reason === '' || reason.length > 500 || /[\p{Cc}\p{Zl}\p{Zp}]/u.test(reason)) {
    throw new Stop(`--reason must be one line of 1 to 500 characters.\n\n${usage}`)
  }
  return reason
}

async function databaseOf({ wrangler, env }: ResetSurroundings, isLocal: boolean): Promise<Query> {
  if (!isLocal) {
    await requireLogin(wrangler, env)
    return queryDatabase(wrangler)
  }
  const { stateDir } = readLocalServer(env)
  if (!isMigrated(stateDir)) throw new Stop('There is no database on this machine yet.')
  return queryDatabase(wrangler, stateDir)
}

/** What hangs on the account and goes, with its name in the singular and the plural. */
const dependents = [
  ['passkeys', 'passkey', 'passkeys'],
  ['totps', 'authenticator app', 'authenticator apps'],
  ['recovery_codes', 'recovery code', 'recovery codes'],
  ['sessions', 'session', 'sessions'],
] as const

async function find(query: Query, email: string) {
  const counts = dependents.map(([table]) => `(SELECT count(*) FROM ${table} WHERE user_id = users.id) AS ${table}`)
  const [found] = await query(
    `SELECT hex(id) AS id, role, status, factors_id IS NOT NULL AS asks, ${counts.join(', ')} FROM users WHERE email = ${quoted(email)}`,
  )
  if (!found) throw new Stop('Nothing was done: there is no account with this address.')
  const numbers = dependents.map(([table, one, many]) => ({ table, count: Number(found[table]), one, many }))
  if (found['asks'] !== 1 && numbers.every(({ table, count }) => table === 'sessions' || count === 0)) {
    throw new Stop('Nothing was done: the account has no second factor.')
  }
  return {
    id: uuidOfBytes(Buffer.from(String(found['id']), 'hex')),
    role: String(users.role.mapFromDriverValue(Number(found['role']))),
    status: String(users.status.mapFromDriverValue(Number(found['status']))),
    has: numbers.map(({ count, one, many }) => `${count} ${count === 1 ? one : many}`),
  }
}

/** One batch, in which everything depends on the event, as in the service. */
async function remove(query: Query, userId: string, reason: string, now: Date): Promise<string> {
  const eventId = uuidv7(now)
  const user = `x'${userId.replaceAll('-', '')}'`
  const event = `x'${eventId.replaceAll('-', '')}'`
  const isRecorded = `EXISTS (SELECT 1 FROM audit_events WHERE id = ${event})`
  const [left] = await query(
    [
      `INSERT INTO audit_events (id, type, user_id, by_user, detail) SELECT ${event}, ${auditCodes['user.factors_reset']}, id, 0, ${quoted(JSON.stringify({ reason }))} FROM users WHERE id = ${user}`,
      ...dependents.map(([table]) => `DELETE FROM ${table} WHERE user_id = ${user} AND ${isRecorded}`),
      `DELETE FROM attempt_counters WHERE key = 'factor:${userId}' AND ${isRecorded}`,
      `UPDATE users SET factors_id = NULL WHERE id = ${user} AND ${isRecorded}`,
      `SELECT ${isRecorded} AS recorded`,
    ].join(';\n'),
  )
  if (left?.['recorded'] !== 1) throw new Stop('Nothing was done: the account was deleted meanwhile.')
  return eventId
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
