/** What is left of somebody after each kind of deletion: nothing that names them but the audit trail. */
import { env } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import { uuidv7, uuidv7Floor } from '../../src/crypto/random.ts'
import { batch } from '../../src/store/batch.ts'
import { always, connect } from '../../src/store/db.ts'
import { emailChanges } from '../../src/store/schema/email-changes.ts'
import { expireStaleUsers } from '../../src/store/stale-users.ts'
import { deletePendingUser } from '../../src/store/user-rows.ts'
import { day } from '../support/clock.ts'
import { giveFactors } from '../support/factors.ts'
import { it } from '../support/fixtures.ts'
import { givePasskey } from '../support/passkeys.ts'
import type { Person } from '../support/person.ts'
import { tableNames } from '../support/raw-tables.ts'
import { insertAttempts, insertEmails, insertLinks, insertRows } from '../support/rows.ts'
import { rowsOf, write } from '../support/state.ts'
import { proveIn, strengths } from '../support/strength.ts'

/** The trail outlives the account. */
const kept = ['audit_events']

/** Every table with a user, asked of the database so that a new one is not forgotten. */
async function tablesOfUsers(): Promise<string[]> {
  const names = (await tableNames()).filter((name) => !kept.includes(name))
  const columns = await env.DB.batch<{ name: string }>(
    names.map((name) => env.DB.prepare(`select name from pragma_table_info('${name}')`)),
  )
  return names.filter((_, place) => columns[place]!.results.some(({ name }) => name === 'user_id'))
}

async function countRowsOf(id: string): Promise<Record<string, number>> {
  const names = await tablesOfUsers()
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, (await rowsOf(name, 'user_id = ?', id)).length] as const)),
  )
}

/** Gives somebody a row in each of these tables. */
async function fill({ id, email, service }: Person): Promise<void> {
  const now = service.clock.now()
  await giveFactors(id, service.clock)
  await givePasskey({ id, email })
  await insertLinks([{ userId: id, expiresAt: now }])
  await insertEmails([{ recipient: 'another@example.com', userId: id }])
  const change = { newEmail: 'new@example.com', oldEmail: email, linkId: uuidv7(now), expiresAt: now, revertUntil: now }
  await insertRows(emailChanges, [{ userId: id, ...change }], () => ({}))
  await insertAttempts([{ key: `factor:${id}` }, { key: `mail-code:${id}:${uuidv7(now)}` }])
  for (const [table, rows] of Object.entries(await countRowsOf(id))) expect(rows, `rows of ${table}`).toBeGreaterThan(0)
}

const pend = ({ id }: Person) => write("update users set status = 'pending', activated_at = null where id = ?", id)

describe('nothing but the trail names somebody', () => {
  const deletions: { name: string; run: (person: Person, admin: Person) => Promise<unknown> }[] = [
    {
      name: 'who deleted the own account',
      run: async (person) => (await proveIn(person, strengths.code), person.deleteMe()),
    },
    { name: 'whom an ADMIN deleted', run: (person, admin) => admin.deleteUser(person) },
  ]
  it.for(deletions)('$name', async ({ run }, { service, ada, admin, eve }) => {
    await service.deliver()
    await fill(ada)
    await giveFactors(eve.id, service.clock)
    await run(ada, admin)
    const left = Object.entries(await countRowsOf(ada.id)).filter(([, rows]) => rows > 0)
    // The farewell, until it is sent.
    expect(left).toEqual([['emails', 1]])
    expect(await rowsOf('users', 'id = ?', ada.id)).toEqual([])
    expect(await rowsOf('attempt_counters', "key like '%' || ? || '%'", ada.id)).toEqual([])
    expect(await rowsOf('recovery_codes', 'user_id = ?', eve.id)).toHaveLength(8)
  })

  const quiet: { name: string; run: (person: Person) => Promise<unknown> }[] = [
    {
      name: 'whose account was never activated',
      run: async ({ service }) => {
        service.clock.advance(30 * day)
        const [db, now] = [connect(env.DB), service.clock.now()]
        await expireStaleUsers(db, uuidv7Floor(now), now, 1000)
      },
    },
    {
      name: 'whose pending account gave way to the owner of the mailbox',
      run: ({ email }) => {
        const db = connect(env.DB)
        return batch(db, deletePendingUser(db, email, always))
      },
    },
  ]
  it.for(quiet)('$name', async ({ run }, { service, ada }) => {
    await service.deliver()
    await fill(ada)
    await pend(ada)
    await run(ada)
    expect(await rowsOf('users', 'id = ?', ada.id)).toEqual([])
    const { emails: _, ...rows } = await countRowsOf(ada.id)
    expect(Object.values(rows).filter((count) => count > 0)).toEqual([])
  })
})
