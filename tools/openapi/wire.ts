/** Holds the schemas of this folder to the code that answers. */
import type { ExtractSchema } from 'hono/types'
import type * as z from 'zod'

/** What a route of a sub-app answers, as its handler's type says. */
export type Output<App, Path extends string, Method extends string> =
  ExtractSchema<App> extends Record<Path, Record<Method, { output: infer Answer }>> ? Answer : never

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? unknown : never) : never

/** Takes a schema that allows what the code answers, no more and no less. Anything else does not compile. */
export function exactly<Wire>() {
  return <Schema extends z.ZodType>(schema: Schema & Same<Wire, z.output<Schema>>): Schema => schema
}
