/** Bindings that count: what an operation costs, as D1, KV and Queues would bill it. */

export interface Cost {
  /** Calls that wait for D1: a batch is one. */
  roundTrips: number
  rowsRead: number
  rowsWritten: number
  kvReads: number
  kvWrites: number
  queueSends: number
  /** The SQL of each statement, in order. */
  statements: string[]
}

const nothing = (): Cost => ({
  roundTrips: 0,
  rowsRead: 0,
  rowsWritten: 0,
  kvReads: 0,
  kvWrites: 0,
  queueSends: 0,
  statements: [],
})

export function countCosts(env: Env) {
  let cost = nothing()

  function bill({ rows_read: read = 0, rows_written: written = 0 }: Partial<D1Meta>): void {
    cost.rowsRead += read
    cost.rowsWritten += written
  }

  const inner = new WeakMap<object, { statement: D1PreparedStatement; sql: string }>()
  function counted(statement: D1PreparedStatement, sql: string): D1PreparedStatement {
    const query = async (): Promise<D1Result> => {
      cost.roundTrips++
      cost.statements.push(sql)
      const result = await statement.all()
      bill(result.meta)
      return result
    }
    const wrapped = {
      bind: (...values: unknown[]) => counted(statement.bind(...values), sql),
      run: query,
      all: query,
      raw: async () => {
        cost.roundTrips++
        cost.statements.push(sql)
        // `raw` says nothing about rows. A read can be asked again; a write cannot, and gives columns of different names.
        const { results, meta } = await statement.all()
        bill(meta)
        return /^\s*select/i.test(sql) ? statement.raw() : results.map((row) => Object.values(row))
      },
    }
    inner.set(wrapped, { statement, sql })
    return wrapped as unknown as D1PreparedStatement
  }

  const DB = {
    prepare: (sql: string) => counted(env.DB.prepare(sql), sql),
    async batch(statements: D1PreparedStatement[]) {
      cost.roundTrips++
      const plain = statements.map((statement) => inner.get(statement)!)
      cost.statements.push(...plain.map(({ sql }) => sql))
      const results = await env.DB.batch(plain.map(({ statement }) => statement))
      for (const { meta } of results) bill(meta)
      return results
    },
  } as unknown as D1Database

  const REVOCATIONS = {
    get: (key: string) => {
      cost.kvReads++
      return env.REVOCATIONS.get(key)
    },
    put: (key: string, value: string, options?: KVNamespacePutOptions) => {
      cost.kvWrites++
      return env.REVOCATIONS.put(key, value, options)
    },
  } as unknown as KVNamespace

  const MAIL_QUEUE = {
    send: async () => {
      cost.queueSends++
    },
  } as unknown as Env['MAIL_QUEUE']

  return {
    bindings: { DB, REVOCATIONS, MAIL_QUEUE },
    /** What it cost since the last time somebody asked. */
    take: (): Cost => {
      const taken = cost
      cost = nothing()
      return taken
    },
  }
}
