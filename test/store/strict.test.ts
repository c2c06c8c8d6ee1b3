/** What drizzle-kit does not write into a migration, and nobody may forget. */
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { tableNames } from '../support/raw-tables.ts'

it('every table is strict, and has no rowid besides its key', async () => {
  const names = await tableNames()
  expect(names).toContain('users')
  const { results } = await env.DB.prepare("select name, sql from sqlite_master where type = 'table'").all<{
    name: string
    sql: string
  }>()
  const isKeyedByNumber = (sql: string) => /^\s*`?\w+`? integer primary key/im.test(sql)
  const wrong = results
    .filter(({ name }) => names.includes(name))
    .filter(({ sql }) => !(isKeyedByNumber(sql) ? /\) STRICT$/ : /\) STRICT, WITHOUT ROWID$/).test(sql))
  expect(wrong.map(({ name }) => name)).toEqual([])
})
