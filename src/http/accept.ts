const pageTypes = ['text/html', 'application/xhtml+xml']
const problemTypes = ['application/problem+json', 'application/json']

/**
 * Whether a client would rather have a page than a problem (RFC 9110 §12.5.1). Browsers name `text/html` when a person
 * follows a link. Programs name JSON, everything or nothing, and get the problem.
 */
export function prefersPage(accept: string | undefined): boolean {
  if (accept === undefined) return false
  const ranges = accept.split(',').map(readRange)
  const best = (types: readonly string[]) => Math.max(...types.map((type) => weightOf(type, ranges)))
  return best(pageTypes) > best(problemTypes)
}

interface Range {
  name: string
  weight: number
}

function readRange(text: string): Range {
  const [name = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const q = parameters.find((parameter) => parameter.startsWith('q='))
  const weight = q === undefined ? 1 : Number(q.slice(2))
  return { name, weight: weight >= 0 && weight <= 1 ? weight : 0 }
}

/** By the range that names the type most exactly. */
function weightOf(type: string, ranges: readonly Range[]): number {
  for (const name of [type, `${type.split('/')[0]}/*`, '*/*']) {
    const weights = ranges.filter((range) => range.name === name).map(({ weight }) => weight)
    if (weights.length > 0) return Math.max(...weights)
  }
  return 0
}
