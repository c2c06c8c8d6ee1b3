/** Bindings that record what the stores answered, and then answer the same without a store: what is left is our own CPU. */

interface Recording {
  answers: unknown[]
  position: number
}

/** Records the answers of one operation while `isRecording`, and plays them back in the same order afterwards. */
export function recordStores(env: Env) {
  const recording: Recording = { answers: [], position: 0 }
  let isRecording = true

  async function answer<T>(ask: () => Promise<T>): Promise<T> {
    if (!isRecording) return recording.answers[recording.position++] as T
    const value = await ask()
    recording.answers.push(value)
    return value
  }

  const inner = new WeakMap<object, D1PreparedStatement>()
  function replayed(statement: D1PreparedStatement): D1PreparedStatement {
    const wrapped = {
      bind: (...values: unknown[]) => replayed(isRecording ? statement.bind(...values) : statement),
      run: () => answer(() => statement.run()),
      all: () => answer(() => statement.all()),
      raw: () => answer(() => statement.raw()),
    }
    inner.set(wrapped, statement)
    return wrapped as unknown as D1PreparedStatement
  }
  const placeholder = env.DB.prepare('select 1')
  const bindings = {
    DB: {
      prepare: (sql: string) => replayed(isRecording ? env.DB.prepare(sql) : placeholder),
      batch: (statements: D1PreparedStatement[]) =>
        answer(() => env.DB.batch(statements.map((statement) => inner.get(statement)!))),
    } as unknown as D1Database,
    REVOCATIONS: {
      get: (key: string) => answer(() => env.REVOCATIONS.get(key)),
      put: async () => undefined,
    } as unknown as KVNamespace,
    MAIL_QUEUE: { send: async () => undefined } as unknown as Env['MAIL_QUEUE'],
  }
  return {
    bindings,
    startRecording(): void {
      recording.answers = []
      isRecording = true
    },
    startReplaying(): void {
      isRecording = false
    },
    rewind(): void {
      recording.position = 0
    },
  }
}
