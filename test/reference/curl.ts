/** Curl lines of the reference: writes them for requests, and runs them as a shell and curl would. */
import type { Answer, Service } from '../support/service.ts'

export interface Request {
  method: string
  /** May hold `$VARIABLES`, as may the token, the headers and the body. */
  path: string
  token?: string
  headers?: Record<string, string>
  body?: unknown
}

/** `$POSTERN` is the address of the service. */
export function curlLine({ method, path, token, headers = {}, body }: Request): string {
  const all = {
    ...(token !== undefined && { Authorization: `Bearer ${token}` }),
    ...(body !== undefined && { 'Content-Type': 'application/json' }),
    ...headers,
  }
  const isPlainGet = method === 'GET'
  return [
    `curl ${isPlainGet ? '' : `-X ${method} `}"$POSTERN${path}"`,
    ...Object.entries(all).map(([name, value]) => `-H "${name}: ${value}"`),
    ...(body === undefined ? [] : [`-d ${singleQuoted(JSON.stringify(body))}`]),
  ].join(' \\\n  ')
}

/** A single-quoted word whose variables are in double quotes, since only those expand. */
function singleQuoted(text: string): string {
  if (text.includes("'")) throw new Error('An example has no apostrophe, which the shell would take for the end.')
  return `'${text.replaceAll(/\$[A-Z_]+/g, (variable) => `'"${variable}"'`)}'`
}

/**
 * Runs a line against the service.
 * @throws for every curl option that the reference does not use
 */
export function runCurl(service: Service, line: string, variables: Readonly<Record<string, string>>): Promise<Answer> {
  const [program, ...words] = splitWords(line.replaceAll('\\\n', ' '), variables)
  if (program !== 'curl') throw new Error(`not curl but ${program}`)
  let method = 'GET'
  let url = ''
  let raw: string | undefined
  const headers: Record<string, string> = {}
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === '-X') method = words.shift()!
    else if (word === '-d') raw = words.shift()!
    else if (word === '-H') {
      const [name, value] = words.shift()!.split(/: (.*)/s)
      headers[name!] = value!
    } else if (url === '') url = word
    else throw new Error(`curl would not understand ${word}`)
  }
  const { pathname, search } = new URL(url)
  return service.call(method, `${pathname}${search}`, { headers, ...(raw !== undefined && { raw }) })
}

/** Splits a line into words as a shell does, with quotes and variables. */
function splitWords(line: string, variables: Readonly<Record<string, string>>): string[] {
  const expand = (text: string) =>
    text.replaceAll(/\$([A-Z_]+)/g, (_, name: string) => {
      const value = variables[name]
      if (value === undefined) throw new Error(`$${name} is not set`)
      return value
    })
  return line
    .trim()
    .match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)!
    .map((word) =>
      word.replaceAll(/'([^']*)'|"([^"]*)"|([^'"]+)/g, (_, plain?: string, quoted?: string, bare?: string) =>
        plain === undefined ? expand(quoted ?? bare ?? '') : plain,
      ),
    )
}
