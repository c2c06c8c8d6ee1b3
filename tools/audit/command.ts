import type { Asker } from '../cloudflare/ask.ts'
import { Stop, readArguments } from '../command.ts'
import { readLocalServer } from '../dev/settings.ts'
import { ArchiveClient, type Period } from './archive-client.ts'
import { type CodeKind, nameCodes } from './second-step.ts'
import { type ArchivedObject, type Seen, verifyArchive } from './verify.ts'

export const usage = `npm run audit -- [--user ID] [--from INSTANT] [--to INSTANT]
npm run audit -- verify [--seen NUMBER:DIGEST]

Reads the archive of the audit trail through the service at POSTERN_URL (by default that of \`npm run dev\`), as an ADMIN.
The first form prints one event as JSON on each line, oldest first. The second checks that no event in the archive was
changed or left out, and prints its newest object.

  --user   only events about this user
  --from   only events of this instant and later, such as 2026-11-30 or 2026-11-30T13:00:00Z
  --to     only events before this instant
  --seen   the newest object that an earlier run printed: it has to be in the archive still

The email address and the password are asked for, or read from POSTERN_EMAIL and POSTERN_PASSWORD. If the account has a
second factor, a code of the authenticator app or a recovery code is asked for, or read from POSTERN_CODE.`

export interface AuditSurroundings {
  env: NodeJS.ProcessEnv
  asker: Asker | null
  /** Events, and what `verify` found. */
  print: (line: string) => void
  /** Everything else. */
  say: (line: string) => void
}

const options = {
  user: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  seen: { type: 'string' },
  help: { type: 'boolean' },
} as const

/**
 * `npm run audit`
 *
 * @throws {Stop} when something in the archive was changed or left out
 */
export async function audit(args: string[], around: AuditSurroundings): Promise<void> {
  const { values, positionals } = readArguments({ args, options, allowPositionals: true }, usage)
  if (values.help) return around.print(usage)
  const isVerifying = positionals[0] === 'verify'
  if (positionals.length > (isVerifying ? 1 : 0)) throw new Stop(usage)
  if (isVerifying && (values.user ?? values.from ?? values.to) !== undefined) throw new Stop(usage)
  const seen = values.seen === undefined ? undefined : readSeen(values.seen)
  const period = { userId: values.user, from: instant(values.from), to: instant(values.to) }

  const client = new ArchiveClient(readUrl(around.env['POSTERN_URL'] ?? readLocalServer(around.env).url))
  await client.signIn(...(await credentials(around)), (kinds) => secondFactor(around, kinds))
  try {
    await (isVerifying ? verify(client, around, seen) : printEvents(client, around, period))
  } finally {
    // What was found matters more. The session ends by itself in the end.
    await client.signOut().catch(({ message }: Error) => around.say(`The session goes on: ${message}`))
  }
}

function readUrl(text: string): string {
  if (!URL.canParse(text)) throw new Stop(`POSTERN_URL is not a URL: ${text}`)
  return text
}

async function printEvents(client: ArchiveClient, { print, say }: AuditSurroundings, period: Period): Promise<void> {
  for await (const { name, lines } of client.objects(period)) {
    if (lines === null) say(`${name} is missing or cannot be read`)
    for (const line of lines?.split('\n').filter(Boolean) ?? []) {
      if (isWithin(period, JSON.parse(line) as { at: string })) print(line)
    }
  }
}

/** Instants in ISO 8601 with the same precision and time zone sort as texts. */
function isWithin({ from, to }: Period, { at }: { at: string }): boolean {
  return (from === undefined || at >= from) && (to === undefined || at < to)
}

async function verify(client: ArchiveClient, around: AuditSurroundings, seen: Seen | undefined): Promise<void> {
  const keys = await client.keys()
  const verdict = await verifyArchive(counted(client.objects({}), around.say), keys, seen)
  for (const note of verdict.notes) around.print(`Note: ${note}`)
  if (verdict.newest) around.print(`Newest object: ${verdict.newest.number}:${verdict.newest.digest}`)
  if (verdict.problems.length > 0) {
    throw new Stop(['The archive is not whole:', ...verdict.problems.map((problem) => `  ${problem}`)].join('\n'))
  }
  const since = verdict.since === null ? '' : `, the oldest from ${verdict.since}`
  around.print(`The archive is whole: ${verdict.events} events in ${verdict.objects} objects${since}.`)
}

async function* counted(objects: AsyncIterable<ArchivedObject>, say: (line: string) => void) {
  let count = 0
  for await (const object of objects) {
    count++
    if (count % 1000 === 0) say(`${count} objects …`)
    yield object
  }
}

function readSeen(text: string): Seen {
  const [, number, digest] = /^(\d+):([\w-]{43})$/.exec(text) ?? []
  if (number === undefined || digest === undefined)
    throw new Stop('--seen must be NUMBER:DIGEST, as an earlier run printed it.')
  return { number: Number(number), digest }
}

function instant(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const date = new Date(text)
  if (Number.isNaN(date.getTime())) throw new Stop(`"${text}" is not a date.`)
  return date.toISOString()
}

/** Never as arguments, which other users of the machine can see. */
async function credentials({ env, asker }: AuditSurroundings): Promise<[string, string]> {
  const email = env['POSTERN_EMAIL'] ?? (await asker?.text('Email address of an ADMIN: '))
  const password = env['POSTERN_PASSWORD'] ?? (await asker?.secret('Password (not shown): '))
  if (!email || !password) throw new Stop('Set POSTERN_EMAIL and POSTERN_PASSWORD, or run this in a terminal.')
  return [email, password]
}

async function secondFactor({ env, asker }: AuditSurroundings, kinds: readonly CodeKind[]): Promise<string> {
  const names = nameCodes(kinds)
  const question = `${names.charAt(0).toUpperCase()}${names.slice(1)} (not shown): `
  const code = env['POSTERN_CODE'] ?? (await asker?.secret(question))
  if (!code) throw new Stop(`Set POSTERN_CODE to ${names}, or run this in a terminal.`)
  return code
}
