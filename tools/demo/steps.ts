import type { Api } from './api.ts'

/** Shared by the chapters of the demo. */
export interface Demo {
  api: Api
  mailbox: Api
  step: Step
}

/** Prints a description, runs `act`, then prints `ok` and what `tell` says about the result. */
export type Step = <T>(what: string, act: () => Promise<T>, tell?: (result: T) => string) => Promise<T>

export function printedSteps(print: (text: string) => void): { step: Step; count: () => number } {
  let number = 0
  const step: Step = async (what, act, tell) => {
    number++
    print(`${String(number).padStart(3)}  ${what} … `)
    try {
      const result = await act()
      print(tell ? `ok: ${tell(result)}\n` : 'ok\n')
      return result
    } catch (error) {
      print('FAILED\n')
      throw error
    }
  }
  return { step, count: () => number }
}
