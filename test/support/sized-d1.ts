/** A database that is as large as it says: what it answers is that of another one, but for the size. */
export interface Sized {
  bytes: number
}

export function sizedD1(database: D1Database, sized: Sized): D1Database {
  const inner = new WeakMap<object, D1PreparedStatement>()
  const resized = <T>(result: D1Result<T>) => ({ ...result, meta: { ...result.meta, size_after: sized.bytes } })

  function wrap(statement: D1PreparedStatement): D1PreparedStatement {
    const wrapped = {
      bind: (...values: unknown[]) => wrap(statement.bind(...values)),
      run: async () => resized(await statement.run()),
      all: async () => resized(await statement.all()),
      raw: () => statement.raw(),
    }
    inner.set(wrapped, statement)
    return wrapped as unknown as D1PreparedStatement
  }

  const binding = {
    prepare: (sql: string) => wrap(database.prepare(sql)),
    batch: async (statements: D1PreparedStatement[]) =>
      (await database.batch(statements.map((statement) => inner.get(statement)!))).map(resized),
  }
  return binding as unknown as D1Database
}
