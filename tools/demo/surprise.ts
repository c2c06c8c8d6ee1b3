/** An answer that differs from the contract. */
export class Surprise extends Error {
  override name = 'Surprise'
  readonly expected: string
  readonly actual: string

  constructor(expected: string, actual: string) {
    super(`expected ${expected}, got ${actual}`)
    this.expected = expected
    this.actual = actual
  }
}

export function expectThat(isTrue: boolean, expected: string, actual: unknown): void {
  if (!isTrue) throw new Surprise(expected, typeof actual === 'string' ? actual : JSON.stringify(actual))
}
