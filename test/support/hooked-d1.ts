/**
 * A D1 binding that shows each round trip before it goes out: the SQL of its statements, a batch's all at once. What
 * the hook throws, the caller gets as a failure of D1, and nothing was done.
 */
export function hookedD1(db: D1Database, before: (statements: string[]) => void | Promise<void>): D1Database {
  const inner = new WeakMap<object, { statement: D1PreparedStatement; sql: string }>()

  function hooked(statement: D1PreparedStatement, sql: string): D1PreparedStatement {
    const wrapped = {
      bind: (...values: unknown[]) => hooked(statement.bind(...values), sql),
      run: async () => (await before([sql]), statement.run()),
      all: async () => (await before([sql]), statement.all()),
      raw: async () => (await before([sql]), statement.raw()),
    }
    inner.set(wrapped, { statement, sql })
    return wrapped as unknown as D1PreparedStatement
  }

  const binding = {
    prepare: (sql: string) => hooked(db.prepare(sql), sql),
    async batch(statements: D1PreparedStatement[]) {
      const plain = statements.map((statement) => inner.get(statement)!)
      await before(plain.map(({ sql }) => sql))
      return db.batch(plain.map(({ statement }) => statement))
    },
  }
  return binding as unknown as D1Database
}
