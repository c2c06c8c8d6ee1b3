import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { batch } from '../../src/store/batch.ts'
import { connect } from '../../src/store/db.ts'
import { attemptCounters } from '../../src/store/schema/attempts.ts'

const db = connect(env.DB)
const at = new Date(1_800_000_000_000)

function insert(key: string, count = 1) {
  return db.insert(attemptCounters).values({ key, count, allowedAt: at, updatedAt: at })
}

const keys = () => db.select({ key: attemptCounters.key }).from(attemptCounters).orderBy(attemptCounters.key)

describe('batch', () => {
  it('gives the rows of each statement by its name, whatever the group', async () => {
    const rows = await batch(
      db,
      { first: insert('a').returning({ key: attemptCounters.key }), between: keys() },
      { second: insert('b').returning({ key: attemptCounters.key }), after: keys() },
    )
    expect(rows.first).toEqual([{ key: 'a' }])
    expect(rows.between).toEqual([{ key: 'a' }])
    expect(rows.second).toEqual([{ key: 'b' }])
    expect(rows.after).toEqual([{ key: 'a' }, { key: 'b' }])
  })

  it('gives the result of a write that returns no rows', async () => {
    await batch(db, { inserted: [insert('a'), insert('b')] })
    const { deleted } = await batch(db, { deleted: db.delete(attemptCounters) })
    expect(deleted.meta.changes).toBe(2)
  })

  it('reads a list of statements as one list of rows, and a statement left out as none', async () => {
    const { inserted, absent, all } = await batch(db, {
      inserted: ['a', 'b'].map((key) => insert(key).returning({ key: attemptCounters.key })),
      absent: undefined,
      all: keys(),
    })
    expect(inserted).toEqual([{ key: 'a' }, { key: 'b' }])
    expect(absent).toEqual([])
    expect(all).toHaveLength(2)
  })

  it('does nothing, and asks nothing, without a statement', async () => {
    expect(await batch(db, {}, { absent: undefined })).toEqual({ absent: [] })
  })

  it('refuses two statements of one name before either is run', async () => {
    await expect(batch(db, { inserted: insert('a') }, { inserted: insert('b') })).rejects.toThrow('called inserted')
    expect(await keys()).toEqual([])
  })

  it('undoes every statement when one of them fails', async () => {
    await expect(batch(db, { first: insert('a'), again: insert('a') })).rejects.toThrow()
    expect(await keys()).toEqual([])
  })
})
