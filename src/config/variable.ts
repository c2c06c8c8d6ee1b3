import * as z from 'zod/mini'
import { KeyError } from '../crypto/keys.ts'
import { variableText } from './values.ts'

/**
 * A variable and the rule for it.
 *
 * @param read parses the text; `undefined` or an exception when it breaks the rule. The message of a `KeyError` is more
 * precise and replaces `rule`.
 */
export function variable<T>(rule: string, read: (text: string) => T | undefined | Promise<T | undefined>) {
  return z.transform(async (value: unknown, { issues }: z.core.ParsePayload): Promise<T> => {
    let message = rule
    try {
      const meaning = await read(variableText(value))
      if (meaning !== undefined) return meaning
    } catch (error) {
      if (error instanceof KeyError) message = error.message
    }
    issues.push({ code: 'custom', message, input: undefined, continue: true })
    return z.NEVER
  })
}

const isSet = z.refine((value) => typeof value === 'string' && value.trim() !== '', 'is not set')

/** Like `variable`, for one that has to be set. */
export function required<T>(rule: string, read: (text: string) => T | undefined | Promise<T | undefined>) {
  return z.pipe(z.unknown().check(isSet), variable(rule, read))
}
