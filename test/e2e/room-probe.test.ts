/** The statement that tells whether a database is full, against SQLite itself: no runtime here has D1's limit. */
import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { isFull, roomProbe, takenBack } from '../../src/store/room.ts'

/** As wrangler makes it. */
const table = `create table d1_migrations (
  id integer primary key autoincrement, name text unique, applied_at timestamp default current_timestamp not null)`

function database(): DatabaseSync {
  const made = new DatabaseSync(':memory:')
  made.exec(
    `${table}; insert into d1_migrations (name) values ('0000_accounts.sql'); create table filler (content text)`,
  )
  return made
}

function probe(db: DatabaseSync): unknown {
  try {
    db.exec(roomProbe)
  } catch (error) {
    return error
  }
  return undefined
}

const rows = (db: DatabaseSync) => db.prepare('select name from d1_migrations').all().length
const pagesOf = (db: DatabaseSync) => Number(db.prepare('pragma page_count').get()?.['page_count'])

test('the probe is taken back in a database with room, and fails for want of room in a full one', () => {
  const db = database()
  assert.match(String(probe(db)), takenBack)
  assert.equal(rows(db), 1)
  db.exec(`pragma max_page_count = ${pagesOf(db)}`)
  // What the first probe used and gave back is free.
  db.exec('begin')
  assert.throws(() => {
    for (;;) db.exec('insert into filler values (hex(zeroblob(1000)))')
  }, isFull)
  if (db.isTransaction) db.exec('commit')
  assert.ok(isFull(probe(db)), String(probe(db)))
  assert.equal(rows(db), 1)
})

test('a database as large as it may be has room again after a deletion', () => {
  const db = database()
  for (let row = 0; row < 200; row++) db.exec('insert into filler values (hex(zeroblob(1000)))')
  db.exec(`pragma max_page_count = ${pagesOf(db)}`)
  assert.ok(isFull(probe(db)))
  db.exec('delete from filler')
  assert.match(String(probe(db)), takenBack)
})
