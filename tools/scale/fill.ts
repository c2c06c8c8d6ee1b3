import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { getTableName } from 'drizzle-orm'
import { demoAdmin } from '../demo/demo-admin.ts'
import { localDatabase } from '../dev/database.ts'
import { showProgress } from '../progress.ts'
import { type Insert, listUserAgent, prepareInsert } from '../seed/database.ts'
import { putHistory } from '../seed/histories.ts'
import { originsOf } from '../seed/origins.ts'
import { hashForEverybody } from '../seed/password.ts'
import { personAt } from '../seed/people.ts'
import { Random } from '../seed/random.ts'
import { type Put, type Table, tables } from '../seed/rows.ts'

/**
 * Fills an empty migrated database with the people of `npm run seed`. Inserted at random places of its trees, a million
 * histories would take hours. So the rows are first written one after the other into tables without keys, in a file of
 * their own, then sorted by their primary key into the real tables, and indexed at the end.
 */
export function fillDatabase(stateDir: string, users: number, devVarsPath: string): void {
  using database = new DatabaseSync(localDatabase(stateDir), { enableForeignKeyConstraints: false })
  // The database is new: after a failure it is thrown away.
  database.exec(`PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -262144;
    ATTACH '${join(stateDir, 'unsorted.sqlite')}' AS unsorted;
    PRAGMA unsorted.journal_mode = OFF; PRAGMA unsorted.synchronous = OFF`)
  writeUnsorted(database, users, devVarsPath)
  sort(database)
  database.exec('DETACH unsorted; PRAGMA journal_mode = WAL')
}

function writeUnsorted(database: DatabaseSync, users: number, devVarsPath: string): void {
  for (const table of tables.map(getTableName)) {
    database.exec(`CREATE TABLE unsorted.${table} AS SELECT * FROM main.${table} WHERE false`)
  }
  const origins = originsOf((userAgent) => listUserAgent(database, userAgent))
  const random = new Random(1)
  const nowMs = Date.now()
  const passwordHash = hashForEverybody(demoAdmin.password, devVarsPath)
  const inserts = new Map<Table, Insert>(
    tables.map((table) => [table, prepareInsert(database, table, `unsorted.${getTableName(table)}`)]),
  )
  const put: Put = (table, row) => inserts.get(table)!(row)
  const progress = showProgress(`Making ${users} users`, users)
  let adminId = ''
  database.exec('BEGIN')
  for (let place = 0; place < users; place++) {
    progress.update(place)
    const person = personAt(place, random, nowMs)
    if (place === 0) adminId = person.id
    putHistory({ random, nowMs, passwordHash, adminId, origins, put }, person)
  }
  database.exec('COMMIT')
  progress.end()
}

function sort(database: DatabaseSync): void {
  const names = tables.map(getTableName)
  const isOurs = `type = 'index' AND sql IS NOT NULL AND tbl_name IN ('${names.join("','")}')`
  const indexes = database.prepare(`SELECT name, sql FROM main.sqlite_schema WHERE ${isOurs}`).all()
  for (const { name } of indexes) database.exec(`DROP INDEX main.${String(name)}`)
  const steps = [
    ...names.map((name) => `INSERT INTO main.${name} SELECT * FROM unsorted.${name} ORDER BY id`),
    ...indexes.map(({ sql }) => String(sql)),
  ]
  const progress = showProgress('Sorting and indexing', steps.length)
  for (const [done, step] of steps.entries()) {
    progress.update(done)
    database.exec(step)
  }
  progress.end()
}
