/** The messages about fields, which zod words for far more kinds of values. */
import { describe, expect, it } from 'vitest'
import { en } from 'zod/locales'
import * as z from 'zod/mini'
import { valid, validates } from '../../src/http/validate.ts'

const schemas = {
  text: z.string().check(z.minLength(1), z.maxLength(3)),
  flag: z.boolean(),
  list: z.array(z.string()),
  object: z.object({ member: z.string() }),
  choice: z.enum(['one', 'other']),
  rule: z.string().check(z.refine(() => false)),
}
const values = [undefined, null, 1, true, '', 'a', 'long', [], [1], {}, { member: 1 }]

describe('the message about a field', () => {
  it.for(Object.entries<z.ZodMiniType>(schemas))('is that of zod: %s', ([, given]) => {
    const { schema } = valid('json', given)[validates]
    const messages = (error?: z.core.$ZodErrorMap) =>
      values.map((value) => schema.safeParse(value, error && { error }).error?.issues.map(({ message }) => message))
    expect(messages()).toEqual(messages(en().localeError))
  })
})
