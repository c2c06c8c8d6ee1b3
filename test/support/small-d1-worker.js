// A worker of its own, because only `experimental` ones may set the limit. It does what miniflare's D1 does: a Durable
// Object whose SQLite runs the statements, a batch in one transaction.
import { DurableObject } from 'cloudflare:workers'

/** More than a file can have. */
const unlimited = 2_000_000_000

export class SmallDatabase extends DurableObject {
  /**
   * What each statement gave, or why none of them was done. An exception would be reported as one that nobody caught.
   *
   * @param isFrozen whether the file may not grow; SQLite takes 1 as the pages that it has
   */
  run(statements, isFrozen) {
    this.ctx.storage.sql.setMaxPageCountForTest(isFrozen ? 1 : unlimited)
    try {
      return { ran: this.ctx.storage.transactionSync(() => statements.map((each) => this.runOne(each))) }
    } catch ({ message }) {
      return { message }
    }
  }

  runOne({ sql, values }) {
    const before = this.changes()
    const cursor = this.ctx.storage.sql.exec(sql, ...values)
    const columns = cursor.columnNames
    const rows = [...cursor.raw()]
    const changes = this.changes() - before
    const { rowsRead: rows_read, rowsWritten: rows_written } = cursor
    return { columns, rows, meta: { changes, rows_read, rows_written, size_after: this.ctx.storage.sql.databaseSize } }
  }

  changes() {
    return Number(this.ctx.storage.sql.exec('select total_changes() as n').one().n)
  }
}

// oxlint-disable-next-line import/no-default-export -- what a worker is
export default { fetch: () => new Response('nothing here', { status: 404 }) }
