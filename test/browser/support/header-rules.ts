/** Reads the `_headers` file of Workers assets, as far as this project uses it: exact paths and a trailing `*`. */
interface HeaderRule {
  pattern: string
  headers: Record<string, string>
}

export function parseHeaderRules(file: string): HeaderRule[] {
  const rules: HeaderRule[] = []
  for (const line of file.split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue
    if (/^\S/.test(line)) {
      rules.push({ pattern: line.trim(), headers: {} })
      continue
    }
    // `! Name` takes a header of an earlier rule away; the one that follows has its place.
    if (line.trim().startsWith('!')) continue
    const colon = line.indexOf(':')
    const rule = rules.at(-1)
    if (!rule || colon < 0) throw new Error(`_headers: cannot read "${line}"`)
    rule.headers[line.slice(0, colon).trim()] = line.slice(colon + 1).trim()
  }
  return rules
}

export function headersFor(path: string, rules: HeaderRule[]): Record<string, string> {
  const matching = rules.filter(({ pattern }) =>
    pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern,
  )
  return Object.assign({}, ...matching.map(({ headers }) => headers)) as Record<string, string>
}
