/** A D1 binding whose database can be full: the engine is the same, and a limit of its pages can be set. */
import { env } from 'cloudflare:workers'

interface Statement {
  sql: string
  values: unknown[]
}

interface Ran {
  columns: string[]
  rows: unknown[][]
  meta: Partial<D1Meta>
}

/** The Durable Object of `small-d1-worker.js`. */
interface SmallDatabase {
  run: (statements: Statement[], isFrozen: boolean) => Promise<{ ran: Ran[] } | { message: string }>
}

/** A new database without tables. */
export function smallD1() {
  const { SMALL_D1: namespace } = env
  const id = namespace.newUniqueId()
  let isFrozen = false
  const inner = new WeakMap<object, Statement>()

  // A failure that takes back a whole transaction ends the object: each call asks for it anew.
  async function run(statements: Statement[]): Promise<Ran[]> {
    const database = namespace.get(id) as unknown as SmallDatabase
    const answer = await database.run(statements, isFrozen).catch(({ message }: Error) => ({ message }))
    if ('message' in answer) throw new Error(`D1_ERROR: ${answer.message}`)
    return answer.ran
  }
  const runOne = async (statement: Statement) => (await run([statement]))[0]!

  function prepare(sql: string, values: unknown[] = []): D1PreparedStatement {
    const statement = { sql, values: values.map(asStored) }
    const all = async () => resultOf(await runOne(statement))
    const prepared = {
      bind: (...given: unknown[]) => prepare(sql, given),
      run: all,
      all,
      first: async (column?: string) => {
        const [row] = (await all()).results as Record<string, unknown>[]
        return row ? (column === undefined ? row : row[column]) : null
      },
      raw: async () => (await runOne(statement)).rows.map((row) => row.map(asRead)),
    }
    inner.set(prepared, statement)
    return prepared as unknown as D1PreparedStatement
  }

  const binding = {
    prepare: (sql: string) => prepare(sql),
    batch: async (statements: D1PreparedStatement[]) =>
      (await run(statements.map((statement) => inner.get(statement)!))).map(resultOf),
    exec: async (sql: string) => {
      await run([{ sql, values: [] }])
      return { count: 1, duration: 0 }
    },
  }
  return {
    binding: binding as unknown as D1Database,
    /** From now on the file does not grow: only pages that are free are written. */
    freeze: () => {
      isFrozen = true
    },
  }
}

function resultOf({ columns, rows, meta }: Ran) {
  const results = rows.map((row) => Object.fromEntries(row.map((value, place) => [columns[place]!, asRead(value)])))
  return { success: true, results, meta: { duration: 0, ...meta } }
}

/** As D1 gives bytes. */
function asRead(value: unknown): unknown {
  return value instanceof ArrayBuffer ? [...new Uint8Array(value)] : value
}

function asStored(value: unknown): unknown {
  return typeof value === 'boolean' ? Number(value) : value
}
