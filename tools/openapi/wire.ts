/** Types that check the schemas of this folder against the code that answers. */
import type { ExtractSchema } from 'hono/types'
import type * as z from 'zod'

/** The answer of a route of a sub-app, from the type of its handler. */
export type Output<App, Path extends string, Method extends string> =
  ExtractSchema<App> extends Record<Path, Record<Method, { output: infer Answer }>> ? Answer : never

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? unknown : never) : never

/** Accepts a schema only if it allows exactly the type that the code answers. Otherwise it does not compile. */
export function exactly<Wire>() {
  return <Schema extends z.ZodType>(schema: Schema & Same<Wire, z.output<Schema>>): Schema => schema
}
