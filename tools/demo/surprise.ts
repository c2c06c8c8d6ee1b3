/** The demo met something other than the contract says: what was expected, and what came. */
export class Surprise extends Error {
  override name = 'Surprise'
  readonly expected: string
  readonly came: string

  constructor(expected: string, came: string) {
    super(`expected ${expected}, came ${came}`)
    this.expected = expected
    this.came = came
  }
}

export function expectThat(isTrue: boolean, expected: string, came: unknown): void {
  if (!isTrue) throw new Surprise(expected, typeof came === 'string' ? came : JSON.stringify(came))
}
