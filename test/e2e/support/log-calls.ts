/** Finds the calls of `log` in source code. */

export interface LogCall {
  event: string
  /** Names of fields; `error fields` stands for those of `describeError`. */
  fields: string[]
}

export function logCallsIn(source: string): LogCall[] {
  return Array.from(source.matchAll(/\blog\([^,()]+, '([a-z._]+)'/g), ({ 0: start, 1: event = '', index }) => ({
    event,
    fields: fieldsOf(restOfCall(source.slice(index + start.length)), source),
  }))
}

/** The text up to the closing parenthesis. */
function restOfCall(text: string): string {
  let depth = 0
  const end = Array.from(text).findIndex((character) => {
    if (character === '(') depth++
    return character === ')' && depth-- === 0
  })
  return text.slice(0, end)
}

function fieldsOf(text: string, source: string): string[] {
  let flat = text
  while (/\([^()]*\)/.test(flat)) flat = flat.replaceAll(/\([^()]*\)/g, '')
  const names = Array.from(flat.matchAll(/(?<=[{,]\s*)(\.\.\.)?(\w+)(?=\s*[:,}])/g))
  const given = names.flatMap(([, spread, name = '']) => {
    if (!spread) return name
    const [, made = ''] = new RegExp(`\\bconst ${name} = ([^\\n]+)`).exec(source) ?? []
    return fieldsOf(made, source)
  })
  return flat.includes('describeError') ? [...given, 'error fields'] : given
}
