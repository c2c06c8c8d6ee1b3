/** How much something did of the work of a password hash: what its time would tell, without measuring time. */

interface Work {
  /** The calls of the slow function. */
  calls: number
  /** Their iterations together. */
  iterations: number
}

export async function workDuring(act: () => Promise<unknown>): Promise<Work> {
  const original = crypto.subtle.deriveBits.bind(crypto.subtle)
  const work = { calls: 0, iterations: 0 }
  crypto.subtle.deriveBits = (algorithm, ...rest) => {
    work.calls++
    work.iterations += typeof algorithm === 'object' ? (algorithm.iterations ?? 0) : 0
    return original(algorithm, ...rest)
  }
  try {
    await act()
  } finally {
    crypto.subtle.deriveBits = original
  }
  return work
}

/** The calls alone: with the cheap work of the tests there is one for each hash. */
export async function hashesDuring(act: () => Promise<unknown>): Promise<number> {
  return (await workDuring(act)).calls
}
